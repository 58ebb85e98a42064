import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GraceError } from '@grace/contracts';
import { writeDurably } from './durable-file.ts';
import { decode, signerOf } from './note.ts';

export interface SecretKey {
  /** As it was made with. */
  name: string;
  /** 32 bytes. */
  seed: Buffer;
}

/** Only its owner may read a secret. */
const MODE = 0o600;
const WIDER = 0o077;

/**
 * The secret half of an Ed25519 key, 32 bytes, kept in the form Go's note package uses: `PRIVATE+KEY+name+id+base64`. It is made at the
 * first use, under `name`, readable for its owner alone.
 * @throws GraceError `KEY_UNUSABLE` when others may read the file, or it holds no key; `STORAGE_FULL`, `STORAGE_FAILED`
 */
export async function openKeyFile(path: string, name: string): Promise<SecretKey> {
  const stats = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (!stats) return makeKey(path, name);
  if (!stats.isFile()) throw unusable(path, 'it is no file');
  if ((stats.mode & WIDER) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
    throw unusable(path, `its mode is ${mode}, expected 0600: others may have read it; make it 0600 if you trust them`);
  }
  const match = /^PRIVATE\+KEY\+([^\s+]+)\+[0-9a-f]{8}\+([A-Za-z0-9+/=]+)\n?$/.exec(await readFile(path, 'utf8'));
  const bytes = match && decode(match[2]!);
  if (!match || !bytes || bytes.length !== 33 || bytes[0] !== 1) throw unusable(path, 'it holds no Ed25519 key');
  return { name: match[1]!, seed: bytes.subarray(1) };
}

async function makeKey(path: string, name: string): Promise<SecretKey> {
  const seed = randomBytes(32);
  const { keyId } = signerOf(name, 'signature', seed).verifier;
  const encoded = Buffer.concat([Buffer.from([1]), seed]).toString('base64');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeDurably(path, `PRIVATE+KEY+${name}+${keyId}+${encoded}\n`, MODE);
  return { name, seed };
}

function unusable(path: string, why: string): GraceError {
  return new GraceError('KEY_UNUSABLE', `${path}: ${why}`, { path });
}
