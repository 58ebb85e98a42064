import { hash as digest } from 'node:crypto';

/**
 * The Merkle tree of RFC 6962, section 2.1, with SHA-256: a leaf is hashed behind the byte 0x00, two nodes behind 0x01. Where many hashes are
 * computed they stand behind each other in one buffer and are written as latin1, which costs half of a buffer of its own for each.
 */
export const HASH_BYTES = 32;
/** The root of the tree without leaves: the hash of nothing. */
export const EMPTY_ROOT = digest('sha256', '', 'buffer');

const pair = Buffer.alloc(1 + 2 * HASH_BYTES, 1);

export function leafHash(leaf: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(leaf.length + 1);
  bytes[0] = 0;
  bytes.set(leaf, 1);
  return digest('sha256', bytes, 'buffer');
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  pair.set(left, 1);
  pair.set(right, 1 + HASH_BYTES);
  return Buffer.from(digest('sha256', pair, 'latin1'), 'latin1');
}

/**
 * Hashes each two of the `count` neighbours in `hashes`, in place, `rounds` times or until one is left; an odd one out moves up as it is,
 * which gives the tree of the RFC. Returns how many are left.
 */
export function foldHashes(hashes: Buffer, count: number, rounds = Number.POSITIVE_INFINITY): number {
  let left = count;
  for (let round = 0; round < rounds && left > 1; round++) {
    const pairs = left >> 1;
    for (let i = 0; i < pairs; i++) {
      hashes.copy(pair, 1, i * 2 * HASH_BYTES, (i + 1) * 2 * HASH_BYTES);
      hashes.write(digest('sha256', pair, 'latin1'), i * HASH_BYTES, 'latin1');
    }
    if (left % 2 === 1) hashes.copy(hashes, pairs * HASH_BYTES, (left - 1) * HASH_BYTES, left * HASH_BYTES);
    left = pairs + (left % 2);
  }
  return left;
}

/** The root over hashes that stand behind each other. */
export function rootOf(hashes: Uint8Array): Buffer {
  if (hashes.length === 0) return EMPTY_ROOT;
  const copy = Buffer.from(hashes);
  foldHashes(copy, copy.length / HASH_BYTES);
  return copy.subarray(0, HASH_BYTES);
}
