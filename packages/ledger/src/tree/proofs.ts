import { EMPTY_ROOT, nodeHash } from './merkle.ts';

/** The whole subtree over the leaves `index * 2^level` to `(index + 1) * 2^level - 1`. */
export type SubtreeHash = (level: number, index: number) => Promise<Buffer> | Buffer;

/** Leaves `from` to `to - 1`; `from` is a multiple of the largest power of two that the range holds. */
interface Range {
  from: number;
  to: number;
}

/** The root of the tree over the first `size` leaves. */
export async function rootAt(size: number, hash: SubtreeHash): Promise<Buffer> {
  return size === 0 ? EMPTY_ROOT : rangeHash({ from: 0, to: size }, hash);
}

/**
 * PATH of RFC 6962, section 2.1.1: what the leaf `index` needs on its way to the root of `size` leaves, its sibling first.
 * @throws RangeError when the tree has no such leaf
 */
export async function inclusionProof(index: number, size: number, hash: SubtreeHash): Promise<Buffer[]> {
  assertRange(index >= 0 && index < size, `there is no leaf ${index} among ${size}`);
  return hashesOf(inclusionRanges(index, size), hash);
}

/**
 * PROOF of RFC 6962, section 2.1.2: that the tree of `from` leaves is the beginning of the tree of `to`. Empty when `from` is 0 or `to`.
 * @throws RangeError when `from` is beyond `to`
 */
export async function consistencyProof(from: number, to: number, hash: SubtreeHash): Promise<Buffer[]> {
  assertRange(from >= 0 && from <= to, `a tree of ${from} leaves is no beginning of one of ${to}`);
  return from === 0 || from === to ? [] : hashesOf(consistencyRanges(from, to), hash);
}

/** RFC 9162, section 2.1.3.2. */
export function verifyInclusion(
  index: number,
  size: number,
  leaf: Buffer,
  proof: readonly Buffer[],
  root: Buffer,
): boolean {
  if (!isSize(index) || !isSize(size) || index >= size) return false;
  let place = index;
  let last = size - 1;
  let reached = leaf;
  for (const hash of proof) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      reached = nodeHash(hash, reached);
      while (place % 2 === 0 && place !== 0) {
        place = half(place);
        last = half(last);
      }
    } else {
      reached = nodeHash(reached, hash);
    }
    place = half(place);
    last = half(last);
  }
  return last === 0 && reached.equals(root);
}

/** RFC 9162, section 2.1.4.2; two trees of one size are consistent when they are the same, and every tree continues the empty one. */
export function verifyConsistency(
  from: number,
  to: number,
  rootFrom: Buffer,
  rootTo: Buffer,
  proof: readonly Buffer[],
): boolean {
  if (!isSize(from) || !isSize(to) || from > to) return false;
  if (from === 0) return proof.length === 0 && rootFrom.equals(EMPTY_ROOT) && (to > 0 || rootTo.equals(EMPTY_ROOT));
  if (from === to) return proof.length === 0 && rootFrom.equals(rootTo);
  const path = isPowerOfTwo(from) ? [rootFrom, ...proof] : [...proof];
  const first = path.shift();
  if (first === undefined) return false;
  let place = from - 1;
  let last = to - 1;
  while (place % 2 === 1) {
    place = half(place);
    last = half(last);
  }
  let reachedFrom = first;
  let reachedTo = first;
  for (const hash of path) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      reachedFrom = nodeHash(hash, reachedFrom);
      reachedTo = nodeHash(hash, reachedTo);
      while (place % 2 === 0 && place !== 0) {
        place = half(place);
        last = half(last);
      }
    } else {
      reachedTo = nodeHash(reachedTo, hash);
    }
    place = half(place);
    last = half(last);
  }
  return last === 0 && reachedFrom.equals(rootFrom) && reachedTo.equals(rootTo);
}

function inclusionRanges(index: number, size: number): Range[] {
  const ranges: Range[] = [];
  let from = 0;
  let to = size;
  while (to - from > 1) {
    const middle = from + split(to - from);
    if (index < middle) {
      ranges.push({ from: middle, to });
      to = middle;
    } else {
      ranges.push({ from, to: middle });
      from = middle;
    }
  }
  return ranges.reverse();
}

function consistencyRanges(old: number, size: number): Range[] {
  const ranges: Range[] = [];
  let from = 0;
  let to = size;
  while (to !== old) {
    const middle = from + split(to - from);
    if (old <= middle) {
      ranges.push({ from: middle, to });
      to = middle;
    } else {
      ranges.push({ from, to: middle });
      from = middle;
    }
  }
  // The old tree itself needs no telling when it is a whole subtree: whoever verifies has its root.
  if (from > 0) ranges.push({ from, to });
  return ranges.reverse();
}

function hashesOf(ranges: readonly Range[], hash: SubtreeHash): Promise<Buffer[]> {
  return Promise.all(ranges.map((range) => rangeHash(range, hash)));
}

/** From the whole subtrees the range consists of, the largest first. */
async function rangeHash({ from, to }: Range, hash: SubtreeHash): Promise<Buffer> {
  const parts: (Promise<Buffer> | Buffer)[] = [];
  for (let at = from; at < to; ) {
    const level = Math.floor(Math.log2(to - at));
    const width = 2 ** level;
    parts.push(hash(level, at / width));
    at += width;
  }
  const hashes = await Promise.all(parts);
  return hashes.reduceRight((right, left) => nodeHash(left, right));
}

/** The largest power of two below `count`. */
function split(count: number): number {
  const power = 2 ** Math.floor(Math.log2(count));
  return power === count ? power / 2 : power;
}

// Sizes pass 2^31, where bit operations end.
const half = (n: number): number => Math.floor(n / 2);
const isSize = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
const isPowerOfTwo = (n: number): boolean => 2 ** Math.round(Math.log2(n)) === n;

function assertRange(holds: boolean, message: string): void {
  if (!holds) throw new RangeError(message);
}
