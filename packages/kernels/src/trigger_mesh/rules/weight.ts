/** How large a value is. */
export interface Weight {
  /** One for each value in it, one more for each 64 characters of text; Infinity: more than `VALUES_MAX`. */
  values: number;
  /** Objects in one another; Infinity: more than `DEPTH_MAX`, so also a value that goes in a circle. */
  depth: number;
  /** Characters of the longest text. */
  longest: number;
}

/** Where counting stops: a message holds no more, unless the same object stands in it again and again. */
const VALUES_MAX = 1_000_000;
/** What is deeper is never looked at: evaluators go down by calling themselves. */
export const DEPTH_MAX = 64;

const known = new WeakMap<object, Weight>();

/** Counted once per object, however many rules ask. */
export function weigh(value: unknown): Weight {
  if (value === null || typeof value !== 'object') return count(value);
  let weight = known.get(value);
  if (!weight) {
    weight = count(value);
    known.set(value, weight);
  }
  return weight;
}

function count(value: unknown): Weight {
  const weight: Weight = { values: 0, depth: 0, longest: 0 };
  const stack: unknown[] = [value];
  const depths: number[] = [0];
  while (stack.length > 0) {
    const next = stack.pop();
    const depth = depths.pop()!;
    weight.values += 1;
    if (typeof next === 'string') {
      weight.values += next.length / 64;
      weight.longest = Math.max(weight.longest, next.length);
    }
    if (weight.values > VALUES_MAX) return { ...weight, values: Infinity, depth: Infinity };
    if (next === null || typeof next !== 'object' || ArrayBuffer.isView(next)) continue;
    weight.depth = Math.max(weight.depth, depth + 1);
    if (depth >= DEPTH_MAX) return { values: Infinity, depth: Infinity, longest: Infinity };
    const isKeyed = next instanceof Map || next instanceof Set;
    for (const part of Array.isArray(next) ? next : isKeyed ? next.values() : Object.values(next)) {
      stack.push(part);
      depths.push(depth + 1);
    }
  }
  return weight;
}
