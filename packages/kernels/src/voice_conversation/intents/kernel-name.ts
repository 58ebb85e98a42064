import { editDistance, nearest } from '@grace/contracts';

export type NamedKernel =
  | { kind: 'known'; id: string; said: string }
  | { kind: 'unknown'; said: string; near: string | undefined };

/** Longer than any id: what is longer is no slip, and costs time to compare. */
const SAID_MAX = 60;
/** Words around a name that are no part of it. */
const AROUND = new Set(['the', 'a', 'kernel', 'my', 'our', 'your']);

/** Which kernel the words name: by its id, said with or without underlines, in the singular or plural. */
export function kernelNamed(words: readonly string[], ids: readonly string[]): NamedKernel {
  const kept = words.filter((word) => !AROUND.has(word));
  const said = (kept.length > 0 ? kept : words).join('_').replaceAll('-', '_').slice(0, SAID_MAX);
  const exact = ids.find((id) => id === said || `${id}s` === said || id === said.replaceAll(/_?kernel$/g, ''));
  if (exact !== undefined) return { kind: 'known', id: exact, said };
  // "The log" is immutable_log, "the bus" message_bus, as long as one kernel alone has the word.
  const having = ids.filter((id) => `_${id}_`.includes(`_${said}_`));
  if (having.length === 1) return { kind: 'known', id: having[0]!, said };
  return { kind: 'unknown', said: said.replaceAll('_', ' '), near: nearest(said, ids) };
}

/** Near enough that what was heard, and not typed, may be taken for it: a recogniser knows no names. */
export function soundsLike(said: string, id: string): boolean {
  return editDistance(said.replaceAll(' ', '_'), id) <= Math.floor(id.length / 4);
}
