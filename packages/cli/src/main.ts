import { realpathSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { basename, dirname, join } from 'node:path';

/** The folder of compiled entries: that of this file, whatever it is called, or `dist/` at the root when this runs from source. */
const file = realpathSync(import.meta.filename);
const dist = basename(file) === 'cli.js' ? dirname(file) : join(dirname(file), '../../../dist');

// Compiled code is kept beside the bundles, for this process and, by the environment, for those it starts; where the folder cannot be
// written, everything is compiled each time.
const cache = join(dist, '.compile-cache');
if (enableCompileCache(cache).directory) process.env['NODE_COMPILE_CACHE'] ??= cache;
const { run } = await import('./program.ts');

// A reader that goes away (`grace logs | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const code = await run(process.argv.slice(2), {
  dist,
  root: dirname(dist),
  cwd: process.cwd(),
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
});
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
