/** Replaces `text` between two offsets, in UTF-16 units. */
export interface Edit {
  start: number;
  end: number;
  text: string;
}

/** @throws Error when edits overlap or lie outside: the caller then has no patch */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const ordered = edits
    .map((edit, i) => ({ ...edit, i }))
    .sort((a, b) => a.start - b.start || a.end - b.end || a.i - b.i);
  let result = '';
  let at = 0;
  for (const { start, end, text: insert } of ordered) {
    if (start < at || end < start || end > text.length) throw new Error(`edits overlap or lie outside at ${start}`);
    result += text.slice(at, start) + insert;
    at = end;
  }
  return result + text.slice(at);
}

/** Edits of several fixes, one after another, without those that touch what an earlier one changes. */
export function withoutOverlaps(groups: readonly (readonly Edit[])[]): Edit[] {
  const taken: Edit[] = [];
  for (const edits of groups) {
    const isFree = edits.every((edit) => taken.every((other) => edit.end <= other.start || edit.start >= other.end));
    const isNew = edits.every((edit) => !taken.some((other) => other.start === edit.start && other.end === edit.end));
    if (isFree && isNew) taken.push(...edits);
  }
  return taken;
}

/** Offsets of the starts of lines; a line and a column, both from 1, become an offset by it. */
export function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

export function offsetAt(starts: readonly number[], row: number, column: number, length: number): number {
  return Math.min(length, (starts[row - 1] ?? length) + column - 1);
}

export function placeAt(starts: readonly number[], offset: number): { line: number; column: number } {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - starts[low]! + 1 };
}
