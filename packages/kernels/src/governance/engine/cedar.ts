import { createRequire } from 'node:module';
import type * as Cedar from '@cedar-policy/cedar-wasm/nodejs';
import { GraceError } from '@grace/contracts';
import { optimisedLater } from '@grace/kernel-sdk/wasm';

export type { Cedar };

/** Holds one instance of Cedar, and takes another when it broke. */
export interface CedarHost {
  /**
   * Works with Cedar.
   * @throws GraceError `INTERNAL` when Cedar itself broke; the next use gets a new instance, which has nothing prepared
   */
  use<T>(work: (cedar: typeof Cedar) => T): T;
  /** Counts instances; what was prepared in an earlier one is gone. */
  readonly generation: number;
}

/** Opened at first use: 10 to 40 ms and about 18 MB. */
export function createCedarHost(): CedarHost {
  let cedar: typeof Cedar | undefined;
  let generation = 0;
  return {
    get generation() {
      return generation;
    },
    use(work) {
      if (cedar === undefined) {
        cedar = openCedar();
        generation++;
      }
      try {
        return work(cedar);
      } catch (error) {
        if (error instanceof GraceError) throw error;
        // Text nested too deeply overflows its stack, and from then on every call fails: measured with 250 brackets in a thread.
        cedar = undefined;
        throw new GraceError('INTERNAL', `the policy engine broke: ${(error as Error).message}`, {}, { cause: error });
      }
    },
  };
}

/** A require of its own each time: a shared one would keep every former instance as its child. */
function openCedar(): typeof Cedar {
  const require = createRequire(import.meta.url);
  const path = require.resolve('@cedar-policy/cedar-wasm/nodejs');
  delete require.cache[path];
  return optimisedLater(() => require(path) as typeof Cedar);
}
