import { setFlagsFromString } from 'node:v8';

/** What V8 says of itself with `node --v8-options`; a test compares. */
const DEFAULT_BUDGET = 13_000_000;
const LATER_BUDGET = 1_000_000_000;

/**
 * Compiles WebAssembly so that V8 optimises each of its functions only when it has run for long: by default it does so after about 13 million
 * bytes of it, which engines of policies and snippets reach while they start, and which was a fifth of the time of a boot. A loop gets there
 * within milliseconds all the same.
 *
 * The budget is a flag of the whole process that a module takes over when it is made. It is set back at once: V8 takes none of the compiled
 * code that Node brings for its own modules while any flag differs from when Node was built, and loading them takes twice as long.
 *
 * @param compile - Makes the module before it returns.
 */
export function optimisedLater<T>(compile: () => T): T {
  setFlagsFromString(`--wasm-tiering-budget=${LATER_BUDGET}`);
  try {
    return compile();
  } finally {
    setFlagsFromString(`--wasm-tiering-budget=${DEFAULT_BUDGET}`);
  }
}
