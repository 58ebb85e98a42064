import { argon2, createCipheriv, createDecipheriv, hkdfSync, randomBytes, scrypt } from 'node:crypto';
import { GraceError } from '@grace/contracts';

/** What opens a vault: 32 random bytes from a key file, or a passphrase. */
export interface Master {
  kind: 'key' | 'passphrase';
  bytes: Buffer;
}

/** How the key of a slot is made from the master; kept in the vault's header, so it can change without losing what is there. */
export type Derivation =
  | { name: 'hkdf-sha256'; salt: string }
  | { name: 'argon2id'; salt: string; memoryKiB: number; passes: number; parallelism: number }
  | { name: 'scrypt'; salt: string; n: number; r: number; p: number };

/** The vault's own key, wrapped so that one master opens it. Two slots while a rekey is under way. */
export interface Slot {
  derivation: Derivation;
  /** base64: nonce, wrapped key, tag. */
  wrapped: string;
}

/** A slot whose key was derived: further keys can be wrapped for the same master without deriving again. */
export interface OpenSlot {
  derivation: Derivation;
  key: Buffer;
}

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Second recommended option of RFC 9106, 4: 64 MiB, 3 passes, 4 lanes. */
const ARGON2ID = { memoryKiB: 65_536, passes: 3, parallelism: 4 };
/** https://cheatsheetseries.owasp.org: scrypt with 128 MiB. */
const SCRYPT = { n: 2 ** 17, r: 8, p: 1 };
/** Parameters come from a file that is not authenticated yet: what a hostile one may cost. */
const BOUNDS = { memoryKiB: 2 ** 20, passes: 64, parallelism: 16, n: 2 ** 20, r: 32, p: 16 };

/** Node has argon2 since 24.7, and only where its OpenSSL is 3.2 or later. */
const hasArgon2 = typeof argon2 === 'function';

/** A slot of its own for a master, with fresh salt. */
export async function makeSlot(
  master: Master,
  passphraseBy: 'argon2id' | 'scrypt' = hasArgon2 ? 'argon2id' : 'scrypt',
): Promise<OpenSlot> {
  const salt = randomBytes(16).toString('base64');
  const derivation: Derivation =
    master.kind === 'key'
      ? { name: 'hkdf-sha256', salt }
      : passphraseBy === 'argon2id'
        ? { name: 'argon2id', salt, ...ARGON2ID }
        : { name: 'scrypt', salt, ...SCRYPT };
  return { derivation, key: await derive(master, derivation) };
}

export function wrap(slot: OpenSlot, vaultKey: Buffer, vault: string): Slot {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', slot.key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(bound(vault, slot.derivation));
  const wrapped = Buffer.concat([nonce, cipher.update(vaultKey), cipher.final(), cipher.getAuthTag()]);
  return { derivation: slot.derivation, wrapped: wrapped.toString('base64') };
}

/** Null when this master does not open the slot. */
export async function openSlot(
  slot: Slot,
  master: Master,
  vault: string,
): Promise<{ slot: OpenSlot; vaultKey: Buffer } | null> {
  const isForKey = slot.derivation.name === 'hkdf-sha256';
  if (isForKey !== (master.kind === 'key')) return null;
  const key = await derive(master, slot.derivation);
  const bytes = Buffer.from(slot.wrapped, 'base64');
  if (bytes.length !== NONCE_BYTES + KEY_BYTES + TAG_BYTES) return null;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(bound(vault, slot.derivation));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const vaultKey = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
    return { slot: { derivation: slot.derivation, key }, vaultKey };
  } catch {
    return null;
  }
}

/** Whether the slot's parameters are such that deriving costs no more than this product would ask for. */
export function isAffordable({ derivation: d }: Slot): boolean {
  const within = (value: number, max: number): boolean => Number.isInteger(value) && value >= 1 && value <= max;
  switch (d.name) {
    case 'hkdf-sha256':
      return true;
    case 'argon2id':
      return (
        within(d.memoryKiB, BOUNDS.memoryKiB) &&
        within(d.passes, BOUNDS.passes) &&
        within(d.parallelism, BOUNDS.parallelism)
      );
    case 'scrypt':
      return (
        within(d.n, BOUNDS.n) && Number.isInteger(Math.log2(d.n)) && within(d.r, BOUNDS.r) && within(d.p, BOUNDS.p)
      );
    default:
      d satisfies never;
      return false;
  }
}

async function derive(master: Master, d: Derivation): Promise<Buffer> {
  const salt = Buffer.from(d.salt, 'base64');
  switch (d.name) {
    case 'hkdf-sha256':
      return Buffer.from(hkdfSync('sha256', master.bytes, salt, 'grace vault slot', KEY_BYTES));
    case 'argon2id': {
      if (!hasArgon2)
        throw new GraceError('VAULT_VERSION', 'the vault was closed with argon2id, which this Node does not have');
      const { memoryKiB: memory, passes, parallelism } = d;
      const parameters = { message: master.bytes, nonce: salt, parallelism, tagLength: KEY_BYTES, memory, passes };
      return await called((done) => argon2('argon2id', parameters, done));
    }
    case 'scrypt': {
      const { n, r, p } = d;
      const options = { N: n, r, p, maxmem: 256 * n * r };
      return await called((done) => scrypt(master.bytes, salt, KEY_BYTES, options, done));
    }
    default:
      throw d satisfies never;
  }
}

function called(work: (done: (error: Error | null, key: Buffer) => void) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => work((error, key) => (error ? reject(error) : resolve(key))));
}

/** A slot fits one vault and one derivation only. */
function bound(vault: string, derivation: Derivation): Buffer {
  return Buffer.from(JSON.stringify(['grace vault slot', vault, derivation]));
}
