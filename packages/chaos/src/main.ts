/**
 * The process of the laboratory's runner: a client of the control socket. Prints progress as one JSON document a line, and ends with the
 * exit code of the run. Ctrl-C and SIGTERM stop the run, undo every fault and still end it properly.
 */
import { EXIT, type GraceError, toWireError } from '@grace/contracts';
import { readRunnerOptions } from './options.ts';
import type { Progress } from './progress.ts';
import { run } from './run.ts';

const interrupted = new AbortController();
process.on('SIGINT', () => interrupted.abort());
process.on('SIGTERM', () => interrupted.abort());
// Whoever reads the progress may go; the run goes on, for its record is the journal.
process.stdout.on('error', () => {});

const report = (progress: Progress): void => void process.stdout.write(`${JSON.stringify(progress)}\n`);

/** Mistakes of whoever started the run, not of the run. */
const USAGE = new Set<GraceError['code']>([
  'USAGE',
  'SCENARIO_INVALID',
  'CONFIG_UNREADABLE',
  'NOT_RUNNING',
  'NOT_ARMED',
]);

try {
  const { exit, totals } = await run(readRunnerOptions(process.argv[2]), report, interrupted.signal);
  report({ t: 'end', exit, totals });
  process.exitCode = exit.code;
} catch (error) {
  const wire = toWireError(error);
  report({ t: 'error', error: wire });
  process.exitCode = USAGE.has(wire.code) ? EXIT.usage : EXIT.internal;
}
