import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { GraceError } from '@grace/contracts';
import { type FileSteps, replaceFile } from './files.ts';
import type { Master } from './slots.ts';

/** Where the master comes from at each start. */
export type KeySource =
  /** `made`: it is made at the first start; a file that was configured must be there. */
  | { kind: 'key_file'; path: string; made: boolean }
  | { kind: 'passphrase_file'; path: string }
  | { kind: 'environment'; name: string };

const PASSPHRASE_LENGTH_MIN = 12;
const PASSPHRASE_LENGTH_MAX = 1024;
const KEY_TEXT = /^[0-9a-f]{64}$/;

/**
 * Null when the key file is to be made and is not there. `know` is told of the text before anything can go wrong with it.
 * @throws GraceError `VAULT_KEY_WRONG` when there is nothing, `KEY_UNUSABLE` when others may read it or it holds no key
 */
export async function readMaster(source: KeySource, know: (value: string) => void): Promise<Master | null> {
  if (source.kind === 'environment') {
    const text = process.env[source.name];
    if (text === undefined) throw missing(`the environment variable ${source.name} is not set`);
    know(text);
    return passphrase(text, `the environment variable ${source.name}`);
  }
  const text = await readPrivate(source.path);
  if (text === null) {
    if (source.kind === 'key_file' && source.made) return null;
    throw missing(`there is no file ${source.path}`);
  }
  know(text);
  if (source.kind === 'passphrase_file') return passphrase(text, source.path);
  if (!KEY_TEXT.test(text))
    throw new GraceError('KEY_UNUSABLE', `${source.path} holds no key; expected 64 hexadecimal digits`, {
      path: source.path,
    });
  return { kind: 'key', bytes: Buffer.from(text, 'hex') };
}

export function passphrase(text: string, from: string): Master {
  if (text.length >= PASSPHRASE_LENGTH_MIN && text.length <= PASSPHRASE_LENGTH_MAX)
    return { kind: 'passphrase', bytes: Buffer.from(text.normalize('NFC'), 'utf8') };
  throw new GraceError(
    'KEY_UNUSABLE',
    `${from}: expected a passphrase of ${PASSPHRASE_LENGTH_MIN} to ${PASSPHRASE_LENGTH_MAX} characters, got ${text.length}`,
  );
}

export function newKey(): Master {
  return { kind: 'key', bytes: randomBytes(32) };
}

export async function writeKeyFile(files: FileSteps, path: string, key: Master): Promise<void> {
  await replaceFile(files, path, Buffer.from(`${key.bytes.toString('hex')}\n`));
}

/** The text of a file that its owner alone may read, without its last line end; null when there is none. */
async function readPrivate(path: string): Promise<string | null> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new GraceError('KEY_UNUSABLE', `${path} cannot be read: ${error.code}`, { path }, { cause: error });
  });
  if (file === null) return null;
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0)
      throw new GraceError(
        'KEY_UNUSABLE',
        `${path} may be read by others (mode ${(mode & 0o777).toString(8)}); expected 600: chmod 600 ${path}`,
        { path },
      );
    if (size > 4096) throw new GraceError('KEY_UNUSABLE', `${path} has ${size} bytes and cannot be a key`, { path });
    return (await file.readFile('utf8')).replace(/\r?\n$/, '');
  } finally {
    await file.close();
  }
}

function missing(why: string): GraceError {
  return new GraceError('VAULT_KEY_WRONG', `the key of the vault is missing: ${why}`);
}
