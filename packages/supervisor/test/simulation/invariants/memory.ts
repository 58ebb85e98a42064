import type { Environment } from '../environment.ts';
import { type Invariant, Violation } from './invariant.ts';

/** Leaks that need this long to their limit are slow enough to be noticed in time by samples that come twice a second, ms. */
const SLOW_MS = 5000;
/** A supervisor, or an agent, that is back has had samples after this long, ms. */
const SEEN_MS = 2000;
/** Part of the limit beyond which a kernel that still runs was forgotten. */
const FORGOTTEN = 1.2;

/** A kernel that leaks slowly enough to be seen is taken down before its process dies of it. */
export function memory(env: Environment): Invariant {
  return {
    beat() {
      // Nobody has looked for long enough.
      if (env.supervisor === null || env.now - env.since < SEEN_MS) return;
      for (const cell of env.cells.values()) {
        if (cell.frozen) continue;
        for (const [id, thread] of cell.threads) {
          if (thread.leak === null || env.state.kernels[id]!.state !== 'running' || thread.trouble === 'native')
            continue;
          const { heapBytes, externalBytes } = thread.manifest.limits;
          const [bytes, limit] =
            thread.leak.of === 'heap' ? [thread.heapBytes, heapBytes] : [thread.externalBytes, externalBytes];
          if (limit / thread.leak.bytesPerMs < SLOW_MS || bytes < limit * FORGOTTEN) continue;
          if (env.now - cell.thawedAt < SEEN_MS) continue;
          throw new Violation(
            'leak_not_noticed',
            env.now,
            `${id} holds ${Math.round((bytes / limit) * 100)} % of its ${thread.leak.of} limit, and still runs`,
          );
        }
      }
    },
  };
}
