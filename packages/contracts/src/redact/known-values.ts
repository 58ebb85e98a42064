import { formsOf, SECRET_LENGTH_MIN } from './forms.ts';
import { REDACTED } from './names.ts';

/** Forms are found by their first characters, so that a text is read once however many values are known. */
const ANCHOR = SECRET_LENGTH_MIN;
/** A value that was cut off (an error message quotes the beginning) is found by this much of it. */
const PART_LENGTH_MIN = 12;
/** Values that are known at once; beyond it the oldest is forgotten. */
const VALUES_MAX = 10_000;

const NO_PAIRS = new Uint8Array(0);

/** Values that must not be read anywhere, and where they are in a text. */
export class KnownValues {
  /** Value -> its forms; in the order in which they came. */
  readonly #values = new Map<string, string[]>();
  /** The first `ANCHOR` characters -> the forms that begin with them. */
  readonly #byAnchor = new Map<string, string[]>();
  /** Whether some form begins with two characters of this hash: says no to nearly every place of a text. */
  #pairs = NO_PAIRS;
  #longest = 0;

  get size(): number {
    return this.#values.size;
  }

  /** False when the value is too short to be told from ordinary text. */
  add(value: string): boolean {
    if (value.length < SECRET_LENGTH_MIN) return false;
    if (this.#values.has(value)) return true;
    if (this.#values.size >= VALUES_MAX) this.#forget(this.#values.keys().next().value!);
    const forms = formsOf(value);
    // Most threads never know a value: they do not pay for the table.
    if (this.#pairs === NO_PAIRS) this.#pairs = new Uint8Array(65_536);
    this.#values.set(value, forms);
    for (const form of forms) {
      const anchor = form.slice(0, ANCHOR);
      const bucket = this.#byAnchor.get(anchor);
      if (!bucket) this.#byAnchor.set(anchor, [form]);
      else if (!bucket.includes(form)) bucket.push(form);
      this.#pairs[pairAt(form, 0)] = 1;
      this.#longest = Math.max(this.#longest, form.length);
    }
    return true;
  }

  redact(text: string): string {
    if (this.#values.size === 0) return text;
    let out = '';
    let kept = 0;
    for (let found = this.#find(text, 0); found; found = this.#find(text, kept)) {
      out += text.slice(kept, found.start) + REDACTED;
      kept = found.end;
    }
    return kept === 0 ? text : out + text.slice(kept);
  }

  /** How many characters at the end of the text may be the beginning of a known value that goes on in the next text. */
  openEnd(text: string): number {
    for (let i = Math.max(0, text.length - this.#longest + 1); i < text.length; i++) {
      if (i < text.length - 1 && this.#pairs[pairAt(text, i)] === 0) continue;
      if (this.#mayGoOn(text.slice(i))) return text.length - this.#wholeBefore(text, i);
    }
    return 0;
  }

  /** Where to cut the text, at `cut` or before it, so that no value is cut in two: the end of one may be the beginning of another. */
  #wholeBefore(text: string, cut: number): number {
    for (let found = this.#find(text, 0); found && found.start < cut; found = this.#find(text, found.end)) {
      if (found.end > cut) return found.start;
    }
    return cut;
  }

  /** The next form that stands in the text, at `from` or after it. */
  #find(text: string, from: number): { start: number; end: number } | undefined {
    for (let i = from; i <= text.length - ANCHOR; i++) {
      const length = this.#pairs[pairAt(text, i)] === 0 ? 0 : this.#lengthAt(text, i);
      if (length > 0) return { start: i, end: i + length };
    }
    return undefined;
  }

  #mayGoOn(end: string): boolean {
    if (end.length >= ANCHOR) {
      const forms = this.#byAnchor.get(end.slice(0, ANCHOR)) ?? [];
      return forms.some((form) => form.length > end.length && form.startsWith(end));
    }
    for (const anchor of this.#byAnchor.keys()) if (anchor.startsWith(end)) return true;
    return false;
  }

  /** Length of the longest form, or enough of its beginning, that stands at `i`; 0 for none. */
  #lengthAt(text: string, i: number): number {
    let best = 0;
    for (const form of this.#byAnchor.get(text.slice(i, i + ANCHOR)) ?? []) {
      let same = ANCHOR;
      while (same < form.length && text.charCodeAt(i + same) === form.charCodeAt(same)) same++;
      if (same >= Math.min(form.length, PART_LENGTH_MIN)) best = Math.max(best, same);
    }
    return best;
  }

  #forget(value: string): void {
    for (const form of this.#values.get(value)!) {
      const anchor = form.slice(0, ANCHOR);
      const rest = (this.#byAnchor.get(anchor) ?? []).filter((other) => other !== form);
      if (rest.length > 0) this.#byAnchor.set(anchor, rest);
      else this.#byAnchor.delete(anchor);
    }
    this.#values.delete(value);
  }
}

function pairAt(text: string, i: number): number {
  return ((text.charCodeAt(i) << 8) ^ text.charCodeAt(i + 1)) & 0xffff;
}
