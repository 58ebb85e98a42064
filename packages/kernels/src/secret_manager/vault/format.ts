/**
 * The vault file:
 *
 *     8 bytes  "GRACEVLT"
 *     u32      format
 *     u32      bytes of the header
 *     u32      bytes of the body, encrypted
 *              header: JSON, see `Header`
 *              body: AES-256-GCM
 *     16 bytes tag
 *
 * All before the body is its additional authenticated data, so no byte of the file can change unseen. Each file has a key of its own, made
 * from the vault's key and a fresh salt (HKDF-SHA-256), so no nonce is ever used twice with a key.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { GraceError } from '@grace/contracts';
import { type Contents, fromPlain, toPlain } from './contents.ts';
import { isAffordable, type Slot } from './slots.ts';

export interface Header {
  /** Random, for life. */
  vault: string;
  /** Counted up with each file. */
  generation: number;
  writtenMs: number;
  /** base64. */
  salt: string;
  /** The newest last. */
  slots: Slot[];
}

export interface SealedVault {
  header: Header;
  /** What the tag vouches for beside the body. */
  front: Buffer;
  body: Buffer;
  tag: Buffer;
}

const MAGIC = Buffer.from('GRACEVLT');
const FORMAT = 1;
const FRONT_BYTES = MAGIC.length + 12;
const TAG_BYTES = 16;
/** Of the whole file. */
const VAULT_BYTES_MAX = 8 * 1024 ** 2;

/** @throws GraceError `TOO_LARGE` */
export function seal(header: Omit<Header, 'salt'>, vaultKey: Buffer, contents: Contents): Buffer {
  const salt = randomBytes(32);
  const head = Buffer.from(JSON.stringify({ ...header, salt: salt.toString('base64') } satisfies Header));
  const plain = Buffer.from(JSON.stringify(toPlain(contents)));
  const front = Buffer.alloc(FRONT_BYTES + head.length);
  MAGIC.copy(front);
  front.writeUInt32BE(FORMAT, MAGIC.length);
  front.writeUInt32BE(head.length, MAGIC.length + 4);
  front.writeUInt32BE(plain.length, MAGIC.length + 8);
  head.copy(front, FRONT_BYTES);
  const { key, nonce } = fileKey(vaultKey, salt);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(front);
  const file = Buffer.concat([front, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  plain.fill(0);
  if (file.length > VAULT_BYTES_MAX)
    throw new GraceError(
      'TOO_LARGE',
      `a vault has at most ${VAULT_BYTES_MAX} bytes, this one would have ${file.length}`,
    );
  return file;
}

/**
 * What can be read without a key.
 * @throws GraceError `VAULT_DAMAGED`, `VAULT_VERSION`
 */
export function parse(file: Buffer, path: string): SealedVault {
  if (file.length < FRONT_BYTES || !file.subarray(0, MAGIC.length).equals(MAGIC))
    throw damaged(path, 'it does not begin like a vault');
  const format = file.readUInt32BE(MAGIC.length);
  if (format !== FORMAT)
    throw new GraceError('VAULT_VERSION', `${path} has format ${format}; this version reads format ${FORMAT}`, {
      path,
      format,
    });
  const headBytes = file.readUInt32BE(MAGIC.length + 4);
  const bodyBytes = file.readUInt32BE(MAGIC.length + 8);
  const expected = FRONT_BYTES + headBytes + bodyBytes + TAG_BYTES;
  if (file.length !== expected || expected > VAULT_BYTES_MAX)
    throw damaged(path, `it has ${file.length} bytes and says that it has ${expected}`);
  const front = file.subarray(0, FRONT_BYTES + headBytes);
  return {
    header: parseHeader(front.subarray(FRONT_BYTES), path),
    front,
    body: file.subarray(front.length, -TAG_BYTES),
    tag: file.subarray(-TAG_BYTES),
  };
}

/** @throws GraceError `VAULT_DAMAGED` when any byte of the file is not the one that was written */
export function unseal({ header, front, body, tag }: SealedVault, vaultKey: Buffer, path: string): Contents {
  const { key, nonce } = fileKey(vaultKey, Buffer.from(header.salt, 'base64'));
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(front);
  decipher.setAuthTag(tag);
  let plain: Buffer;
  try {
    plain = Buffer.concat([decipher.update(body), decipher.final()]);
  } catch {
    throw damaged(path, 'its tag does not fit its content');
  }
  try {
    return fromPlain(JSON.parse(plain.toString('utf8')));
  } catch {
    // Without the parser's words: they quote what they could not read.
    throw damaged(path, 'its content is authentic, and no vault');
  } finally {
    plain.fill(0);
  }
}

/** Which file this is, among all that were ever written. */
export function fingerprint(file: Buffer): string {
  return createHash('sha256').update(file).digest('hex');
}

function parseHeader(bytes: Buffer, path: string): Header {
  let header: Header;
  try {
    header = JSON.parse(bytes.toString('utf8')) as Header;
  } catch {
    throw damaged(path, 'its header is no JSON');
  }
  const isWhole =
    typeof header?.vault === 'string' &&
    Number.isSafeInteger(header.generation) &&
    typeof header.salt === 'string' &&
    Array.isArray(header.slots) &&
    header.slots.length >= 1 &&
    header.slots.length <= 2 &&
    header.slots.every((slot) => typeof slot?.wrapped === 'string' && typeof slot.derivation?.salt === 'string');
  if (!isWhole) throw damaged(path, 'its header is not whole');
  if (!header.slots.every(isAffordable)) throw damaged(path, 'its header asks for a derivation that no vault uses');
  return header;
}

function fileKey(vaultKey: Buffer, salt: Buffer): { key: Buffer; nonce: Buffer } {
  const bytes = Buffer.from(hkdfSync('sha256', vaultKey, salt, 'grace vault file', 44));
  return { key: bytes.subarray(0, 32), nonce: bytes.subarray(32) };
}

function damaged(path: string, why: string): GraceError {
  return new GraceError('VAULT_DAMAGED', `${path} is not the file that was written: ${why}`, { path });
}
