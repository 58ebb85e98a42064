/** Values a fact may hold, and entries of one of its lists: what an expression costs is bounded by these. */
export const FACT_VALUES = 8192;
const LIST_ENTRIES = 1000;
/** Characters of text that count as one value. */
const TEXT_PER_VALUE = 64;
const DEPTH_MAX = 32;

/**
 * A copy with nothing in it but null, booleans, finite numbers, text, lists and objects without a prototype. A number that is none would make
 * `!(x < 5)` true, so it is refused rather than compared. Fields that are undefined are left out: they are not there.
 * @throws Error saying what is in the way
 */
export function plain(value: unknown): unknown {
  let left = FACT_VALUES;
  const copy = (one: unknown, depth: number): unknown => {
    left -= typeof one === 'string' ? 1 + one.length / TEXT_PER_VALUE : 1;
    if (left < 0) throw new Error(`it holds more than ${FACT_VALUES} values; name a path or fields`);
    if (depth > DEPTH_MAX) throw new Error(`it is deeper than ${DEPTH_MAX} levels, or a circle`);
    if (one === null || typeof one === 'string' || typeof one === 'boolean') return one;
    if (typeof one === 'number') {
      if (Number.isFinite(one)) return one;
      throw new Error(`it holds ${one}, which cannot be compared`);
    }
    if (Array.isArray(one)) {
      if (one.length > LIST_ENTRIES)
        throw new Error(`it holds a list of ${one.length} entries, more than ${LIST_ENTRIES}`);
      return Array.from(one, (entry) => copy(entry, depth + 1));
    }
    if (typeof one !== 'object') throw new Error(`it holds a ${typeof one}`);
    const prototype = Object.getPrototypeOf(one);
    if (prototype !== Object.prototype && prototype !== null)
      throw new Error('it holds an object that is no plain one');
    const made: Record<string, unknown> = Object.create(null);
    for (const [name, part] of Object.entries(one)) if (part !== undefined) made[name] = copy(part, depth + 1);
    return made;
  };
  return copy(value, 0);
}

/** At most `chars` characters of a value, for evidence. */
export function brief(value: unknown, chars: number): unknown {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= chars ? value : `${text.slice(0, chars)}...`;
}
