/** What is known of a file at one moment. */
export interface Seen {
  bytes: number;
  mtimeMs: number;
  sha256: string;
}

/**
 * `same`: its bytes are those of the snapshot. `changed`: they are others, and nothing says that this is damage; whether it was meant, only the one who did it
 * knows. `corrupted`: they are others, and it is damage, for the reason given. `missing`: it is not there. `unreadable`: it is, and cannot be read.
 */
export type Verdict = 'same' | 'changed' | 'corrupted' | 'missing' | 'unreadable';

export interface Judged {
  verdict: Verdict;
  why: string;
}

/**
 * Tells drift from damage. Pure. What counts as damage: other bytes under the same size and time of change (nobody wrote it, or somebody hid
 * that); empty; cut off in the middle of what it was; a form that no longer parses.
 * @param broken what a parser or check says is wrong with it; null: nothing, or its form is not known
 * @param isBeginning whether it is shorter and all it has is what the recorded one begins with
 */
export function judgeOriginal(
  recorded: Seen,
  seen: Seen,
  { broken, isBeginning }: { broken: string | null; isBeginning: boolean },
): Judged {
  if (seen.sha256 === recorded.sha256) return { verdict: 'same', why: '' };
  const corrupted = (why: string): Judged => ({ verdict: 'corrupted', why });
  if (seen.bytes === 0) return corrupted(`it is empty, and had ${recorded.bytes} bytes`);
  if (seen.bytes === recorded.bytes && seen.mtimeMs === recorded.mtimeMs)
    return corrupted('its bytes are others, and its size and time of change are the same');
  if (broken !== null) return corrupted(`it does not parse any more: ${broken}`);
  if (seen.bytes < recorded.bytes && isBeginning)
    return corrupted(`it ends after ${seen.bytes} of ${recorded.bytes} bytes, which are the same`);
  return {
    verdict: 'changed',
    why: `it was written after the snapshot: ${seen.bytes} bytes, before ${recorded.bytes}`,
  };
}
