/**
 * @module
 * The workshop's process, and each of its threads. In the process it makes the pool; in a thread each export is one kind of work, and what is
 * heavy is loaded by the work that needs it.
 */
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

export { check, examine, list, propose, prove } from './workshop/perform.ts';

const file = fileURLToPath(import.meta.url);
if (isMainThread && process.argv[1] === file)
  (await import('./workshop/host.ts')).serve(file, JSON.parse(process.argv[2] ?? '{}'));
