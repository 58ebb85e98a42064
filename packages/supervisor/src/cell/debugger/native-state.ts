import { readFileSync } from 'node:fs';

/** What the system knows of a thread that has no JavaScript frame to show. */
export interface NativeState {
  /** R: runs or wants to, S: sleeps, D: sleeps and cannot be interrupted. */
  state: string;
  /** Function of the system's kernel it sleeps in (`pipe_read`, `futex_do_wait`); null: it sleeps in none, or this is not told. */
  waitsIn: string | null;
  /** Both as a sentence. */
  says: string;
}

/** Null where /proc does not tell. `R` cannot tell running from waiting for a processor. */
export function describeThread(tid: number): NativeState | null {
  try {
    const stat = readFileSync(`/proc/self/task/${tid}/stat`, 'latin1');
    const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
    const waitsIn = waitChannel(tid);
    const says =
      state === 'R'
        ? 'it runs native code, or waits for a processor'
        : `it sleeps in ${waitsIn ?? 'a call of the system'}${state === 'D' ? ', which cannot be interrupted' : ''}`;
    return { state, waitsIn, says };
  } catch {
    return null;
  }
}

function waitChannel(tid: number): string | null {
  try {
    const name = readFileSync(`/proc/self/task/${tid}/wchan`, 'latin1').trim();
    return name === '' || name === '0' ? null : name;
  } catch {
    return null;
  }
}
