import { createPrivateKey, createPublicKey, hash as digest, type KeyObject, sign, verify } from 'node:crypto';
import { GraceError } from '@grace/contracts';

/**
 * Signed notes of C2SP with Ed25519: https://c2sp.org/signed-note, and the timestamped signatures of witnesses,
 * https://c2sp.org/tlog-cosignature.
 */
export interface Verifier {
  name: string;
  /** 8 hex digits. */
  keyId: string;
  /** `cosignature`: signs a text together with the time. */
  kind: 'signature' | 'cosignature';
  key: KeyObject;
  /** As it is published: name, id and key. */
  vkey: string;
}

export interface Signer {
  verifier: Verifier;
  /** The signature line of a note with this text; a cosigner says when, in ms. */
  sign(text: string, atMs?: number): string;
}

export interface Signature {
  name: string;
  keyId: string;
  /** When a cosigner signed, ms; null of a plain signature. */
  atMs: number | null;
}

export interface OpenedNote {
  text: string;
  /** Those of known keys, verified. */
  signatures: Signature[];
}

const TYPES = { signature: 1, cosignature: 4 } as const;
const SEED_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const KEY_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const KEY_BYTES = 32;
const SIGNATURES_MAX = 100;
const NOTE_BYTES_MAX = 1_000_000;
const NAME = /^[^\s+]+$/u;
const SIGNATURE_LINE = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u;

/** @throws GraceError `BAD_INPUT` when it is no verifier key of Ed25519 or names an id that is not its own */
export function parseVkey(vkey: string): Verifier {
  const [name = '', keyId = '', encoded = ''] = splitKey(vkey.trim());
  const bytes = decode(encoded);
  const kind = bytes?.length === KEY_BYTES + 1 ? kindOf(bytes[0]!) : undefined;
  if (!bytes || !kind || !NAME.test(name)) throw noKey('a verifier key is name+id+base64 of an Ed25519 key');
  const verifier = verifierOf(name, kind, bytes.subarray(1));
  if (verifier.keyId !== keyId) throw noKey(`the key has the id ${verifier.keyId}, not "${keyId}"`);
  return verifier;
}

/** Of the secret half of an Ed25519 key, 32 bytes. */
export function signerOf(name: string, kind: Verifier['kind'], seed: Uint8Array): Signer {
  const secret = createPrivateKey({ key: Buffer.concat([SEED_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  const published = createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(KEY_PREFIX.length);
  const verifier = verifierOf(name, kind, published);
  return {
    verifier,
    sign(text, atMs = Date.now()) {
      const seconds = Math.floor(atMs / 1000);
      const signature = sign(null, Buffer.from(signedText(kind, text, seconds)), secret);
      const time = Buffer.alloc(kind === 'cosignature' ? 8 : 0);
      if (kind === 'cosignature') time.writeBigUInt64BE(BigInt(seconds));
      const bytes = Buffer.concat([Buffer.from(verifier.keyId, 'hex'), time, signature]);
      return `\u2014 ${name} ${bytes.toString('base64')}\n`;
    },
  };
}

/**
 * The text of a note and who signed it. Signatures of unknown keys are passed over.
 * @throws GraceError `PROOF_INVALID` when it is no note, a known key's signature is wrong, or no known key signed
 */
export function openNote(note: string, verifiers: readonly Verifier[]): OpenedNote {
  if (note.length > NOTE_BYTES_MAX) throw invalid('the note is longer than a note may be');
  if (/[\0-\x09\x0b-\x1f]/.test(note)) throw invalid('the note holds control characters');
  const border = note.lastIndexOf('\n\n');
  if (border < 0 || !note.endsWith('\n')) throw invalid('the note has no signatures');
  const text = note.slice(0, border + 1);
  const lines = note.slice(border + 2, -1).split('\n');
  if (lines.length > SIGNATURES_MAX) throw invalid(`the note has more than ${SIGNATURES_MAX} signatures`);
  const signatures: Signature[] = [];
  for (const line of lines) {
    const [, name, encoded] = SIGNATURE_LINE.exec(line) ?? [];
    const bytes = encoded === undefined ? null : decode(encoded);
    if (name === undefined || !bytes || bytes.length < 5) throw invalid(`not a signature line: ${line.slice(0, 100)}`);
    const keyId = bytes.toString('hex', 0, 4);
    const verifier = verifiers.find((known) => known.name === name && known.keyId === keyId);
    if (!verifier || signatures.some((known) => known.name === name && known.keyId === keyId)) continue;
    signatures.push({ name, keyId, atMs: verified(verifier, text, bytes.subarray(4)) });
  }
  if (signatures.length === 0) throw invalid('no key that is known here signed the note');
  return { text, signatures };
}

/** @throws GraceError `PROOF_INVALID` */
function verified(verifier: Verifier, text: string, bytes: Buffer): number | null {
  const isTimed = verifier.kind === 'cosignature';
  const seconds = isTimed && bytes.length === 72 ? Number(bytes.readBigUInt64BE()) : 0;
  const signature = isTimed ? bytes.subarray(8) : bytes;
  const message = Buffer.from(signedText(verifier.kind, text, seconds));
  if (signature.length !== 64 || !verify(null, message, verifier.key, signature)) {
    throw invalid(`the signature of ${verifier.name} is not one of this text`);
  }
  return isTimed ? seconds * 1000 : null;
}

function signedText(kind: Verifier['kind'], text: string, seconds: number): string {
  return kind === 'cosignature' ? `cosignature/v1\ntime ${seconds}\n${text}` : text;
}

function verifierOf(name: string, kind: Verifier['kind'], published: Buffer): Verifier {
  const typed = Buffer.concat([Buffer.from([TYPES[kind]]), published]);
  const keyId = digest('sha256', Buffer.concat([Buffer.from(`${name}\n`), typed]), 'hex').slice(0, 8);
  const key = createPublicKey({ key: Buffer.concat([KEY_PREFIX, published]), format: 'der', type: 'spki' });
  return { name, keyId, kind, key, vkey: `${name}+${keyId}+${typed.toString('base64')}` };
}

function kindOf(type: number): Verifier['kind'] | undefined {
  return type === TYPES.signature ? 'signature' : type === TYPES.cosignature ? 'cosignature' : undefined;
}

/** The key itself may hold a plus. */
function splitKey(text: string): string[] {
  const [name, keyId, ...rest] = text.split('+');
  return [name!, keyId ?? '', rest.join('+')];
}

/** Base64 in its one right form, or null. */
export function decode(encoded: string): Buffer | null {
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.toString('base64') === encoded ? bytes : null;
}

function noKey(message: string): GraceError {
  return new GraceError('BAD_INPUT', message);
}

/** Something that claims to be signed or proved and is not. */
export function invalid(message: string, details: Record<string, unknown> = {}): GraceError {
  return new GraceError('PROOF_INVALID', message, details);
}
