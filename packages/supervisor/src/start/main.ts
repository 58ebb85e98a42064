/**
 * How each process and thread of the product gets its code: one file, with the compiled functions of an earlier start beside it. A bundle's
 * entry is a line that calls `start`. Node's own compile cache keeps what is compiled before a file runs, which is a tenth of what a start
 * compiles in the end.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { constants, Script } from 'node:vm';
import { threadId } from 'node:worker_threads';
import { open, seal } from './sealed.ts';

/** By then a kernel is ready and has been probed, ms. */
const KEEP_AFTER_MS = 4000;

/**
 * Runs a bundle, a CommonJS file of ASCII text, and returns its exports.
 * @param require of a file beside it
 * @param digest of the bundle: V8 itself compares no more than its length
 */
export function start(require: NodeJS.Require, bundle: string, digest: string, keepAfterMs = KEEP_AFTER_MS): unknown {
  const text = readFileSync(bundle, 'latin1');
  const kept = `${bundle}.compiled`;
  const cachedData = read(kept, digest);
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
    filename: bundle,
    ...(cachedData ? { cachedData } : {}),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  if (!cachedData || script.cachedDataRejected)
    keepSoon(() => write(kept, seal(script.createCachedData(), digest)), keepAfterMs);
  const module = { exports: {} };
  script.runInThisContext().call(module.exports, module.exports, require, module, bundle, dirname(bundle));
  return module.exports;
}

/** Once: when the start is over, or at the end of a life that was shorter. */
function keepSoon(keep: () => void, afterMs: number): void {
  const once = (): void => {
    clearTimeout(timer);
    process.off('exit', once);
    keep();
  };
  const timer = setTimeout(once, afterMs).unref();
  process.on('exit', once);
}

function read(file: string, digest: string): Buffer | undefined {
  try {
    return open(readFileSync(file), digest);
  } catch {
    return undefined;
  }
}

/** Whole or not at all. Where it cannot be written, each start compiles; that is slower and nothing else. */
function write(file: string, data: Buffer): void {
  const part = `${file}.${process.pid}.${threadId}`;
  try {
    const fd = openSync(part, 'w');
    try {
      for (let at = 0; at < data.length; ) at += writeSync(fd, data, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(part, file);
  } catch {
    rmSync(part, { force: true });
  }
}
