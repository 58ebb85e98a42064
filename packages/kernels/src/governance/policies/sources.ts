import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import type { PolicyFile, Sources } from './policy-set.ts';

const FILE_BYTES_MAX = 256 * 1024;
const FILES_MAX = 100;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\.(cedar|cedarschema|ya?ml)$/;

/**
 * Reads folders of policies: `*.cedar`, `*.cedarschema`, and settings in `*.yaml`. A file of a later folder replaces one of the same name.
 * @throws GraceError `CONFIG_UNREADABLE`, `POLICY_INVALID`
 */
export async function readFiles(folders: readonly string[]): Promise<PolicyFile[]> {
  const found = new Map<string, string>();
  for (const folder of folders) {
    const names = await attempt(folder, () => readdir(folder));
    for (const name of names) if (NAME.test(name)) found.set(name, join(folder, name));
  }
  if (found.size > FILES_MAX) {
    throw new GraceError(
      'POLICY_INVALID',
      `${folders.join(', ')}: expected at most ${FILES_MAX} files, got ${found.size}`,
    );
  }
  const files: PolicyFile[] = [];
  for (const [name, path] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    files.push({ name, text: await attempt(path, () => readText(path)) });
  }
  return files;
}

/** The files, and their settings checked. Loads the validator: not in the thread of a kernel. */
export async function readSources(folders: readonly string[]): Promise<Sources> {
  const files = await readFiles(folders);
  const { mergeSettings, settingsOf } = await import('./settings-file.ts');
  return { files, settings: mergeSettings(settingsOf(files)) };
}

async function readText(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > FILE_BYTES_MAX) {
    throw new GraceError('POLICY_INVALID', `${path}: expected at most ${FILE_BYTES_MAX} bytes, got ${size}`);
  }
  const bytes = await readFile(path);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new GraceError('POLICY_INVALID', `${path}: expected UTF-8 text`, { file: path }, { cause });
  }
}

async function attempt<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof GraceError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new GraceError(
      'CONFIG_UNREADABLE',
      `cannot read ${path}: ${message}`,
      { file: path, errno: code },
      { cause: error },
    );
  }
}
