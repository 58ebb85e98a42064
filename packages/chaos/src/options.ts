import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { GraceError } from '@grace/contracts';
import { z } from 'zod';

const absolute = z.string().refine(isAbsolute, 'expected an absolute path');

const runnerOptions = z.strictObject({
  /** Home of the armed system, absolute. */
  home: absolute,
  run: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected letters, digits, _ and -'),
  seed: z.number().int().min(0).max(0xffffffff),
  waves: z.number().int().min(1).max(1000),
  /** Repetitions of each variant in a wave. */
  trials: z.number().int().min(1).max(1000),
  /** Files, absolute, in the order in which they are planned. */
  scenarios: z.array(absolute).min(1),
  /** Compiled entry file of the actors, absolute. */
  actorEntry: absolute,
  /** The command line that replays the run. */
  command: z.string(),
  /** The system was running already and is not the run's own. */
  attach: z.boolean(),
  commit: z.string().nullable(),
  dirty: z.boolean().nullable(),
});

/** Everything the runner must be told, as JSON in its first argument, or as the path of a file that holds it. */
export type RunnerOptions = z.output<typeof runnerOptions>;

/** @throws GraceError `USAGE` */
export function readRunnerOptions(argument: string | undefined): RunnerOptions {
  if (argument === undefined)
    throw new GraceError('USAGE', 'expected the options of the run as JSON, or the path of a file that holds them');
  let raw: unknown;
  try {
    raw = JSON.parse(argument.trimStart().startsWith('{') ? argument : readFileSync(argument, 'utf8'));
  } catch (error) {
    throw new GraceError('USAGE', `cannot read the options of the run: ${(error as Error).message}`);
  }
  const checked = runnerOptions.safeParse(raw);
  if (!checked.success) throw new GraceError('USAGE', `the options of the run: ${z.prettifyError(checked.error)}`);
  return checked.data;
}
