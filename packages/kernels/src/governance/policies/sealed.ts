import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { lstat, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PolicyFile } from './policy-set.ts';

/** How a file of the policies in force differs from what was accepted. */
export interface Drift {
  file: string;
  what: 'changed' | 'added' | 'removed';
  /** SHA-256, hex; null: none, or nothing that can be read. */
  expected: string | null;
  found: string | null;
  /** The first line that differs, as found. */
  line: { number: number; text: string } | null;
}

/** Larger ones are not read: whatever they are, they are not what was accepted. */
const READ_BYTES_MAX = 1_000_000;
const SHOWN = 200;
/** Being written, and left by a process that died while it wrote. */
const PARTIAL = '.partial';

/**
 * The policies in force as files, for people and tools to read. What governs is kept in the store; these are a copy that nobody else may
 * write. Every file is read each time: size and times can be set back, content cannot.
 */
export interface SealedFiles {
  readonly folder: string;
  /** What differs from `files`. */
  compare(files: readonly PolicyFile[]): Drift[];
  /** Makes the folder hold exactly these files. */
  write(files: readonly PolicyFile[]): Promise<void>;
}

export function createSealedFiles(folder: string): SealedFiles {
  const names = (): string[] => {
    const entry = lstatSync(folder, { throwIfNoEntry: false });
    return entry?.isDirectory() ? readdirSync(folder).filter((name) => !name.endsWith(PARTIAL)) : [];
  };

  return {
    folder,
    compare(files) {
      const there = names();
      const drifts: Drift[] = [];
      for (const { name, text } of files) {
        const expected = hash(text);
        if (!there.includes(name)) {
          drifts.push({ file: name, what: 'removed', expected, found: null, line: null });
          continue;
        }
        const bytes = content(join(folder, name));
        if (bytes !== null && hash(bytes) === expected) continue;
        drifts.push({
          ...{ file: name, what: 'changed', expected },
          found: bytes === null ? null : hash(bytes),
          line: bytes === null ? null : firstDifference(text, bytes.toString('utf8')),
        });
      }
      for (const name of there) {
        if (files.some((file) => file.name === name)) continue;
        const bytes = content(join(folder, name));
        const line = bytes === null ? null : firstDifference('', bytes.toString('utf8'));
        drifts.push({ file: name, what: 'added', expected: null, found: bytes === null ? null : hash(bytes), line });
      }
      return drifts;
    },
    async write(files) {
      const entry = await lstat(folder).catch(() => undefined);
      if (entry && !entry.isDirectory()) await rm(folder, { force: true });
      await mkdir(folder, { recursive: true, mode: 0o700 });
      for (const { name, text } of files) {
        const path = join(folder, name);
        const there = await lstat(path).catch(() => undefined);
        if (there && !there.isFile()) await rm(path, { recursive: true, force: true });
        else if (there && content(path)?.equals(Buffer.from(text))) continue;
        // Exclusive, so that a link that somebody left there is never followed.
        await rm(`${path}${PARTIAL}`, { recursive: true, force: true });
        await writeFile(`${path}${PARTIAL}`, text, { mode: 0o600, flag: 'wx' });
        await rename(`${path}${PARTIAL}`, path);
      }
      for (const name of await readdir(folder)) {
        if (!files.some((file) => file.name === name)) await rm(join(folder, name), { recursive: true, force: true });
      }
    },
  };
}

/**
 * Null for what is no plain file of a usual size: a FIFO would keep its reader waiting, a link leads elsewhere. Opened first and looked at
 * then, so that nothing can be put in its place between. Synchronous: a dozen small files take less time than a dozen turns of the thread pool.
 */
function content(path: string): Buffer | null {
  let handle: number | undefined;
  try {
    handle = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const entry = fstatSync(handle);
    return entry.isFile() && entry.size <= READ_BYTES_MAX ? readFileSync(handle) : null;
  } catch {
    return null;
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

function hash(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function firstDifference(expected: string, found: string): { number: number; text: string } {
  const [wanted, lines] = [expected.split('\n'), found.split('\n')];
  const at = lines.findIndex((line, i) => line !== wanted[i]);
  const number = at < 0 ? lines.length : at;
  return { number: number + 1, text: (lines[number] ?? '').slice(0, SHOWN) };
}
