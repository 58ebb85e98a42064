/**
 * The supervisor process. No kernel code ever runs in it. `--plan FILE`: what to run; written by the command line. The guardian adds its pid
 * and, with `--resume`, how the supervisor before this one ended.
 */
import { parseArgs } from 'node:util';
import { EXIT_STORAGE_FULL, GraceError, toWireError } from '@grace/contracts';
import { readPlan } from './plan-file.ts';
import { runSupervisor } from './supervisor.ts';

const { values } = parseArgs({
  options: {
    plan: { type: 'string' },
    guardian: { type: 'string' },
    resume: { type: 'boolean' },
    restarts: { type: 'string' },
    ended: { type: 'string' },
  },
});

void run();

async function run(): Promise<void> {
  try {
    if (!values.plan) throw new GraceError('USAGE', 'the supervisor is started with --plan FILE');
    const plan = readPlan(values.plan);
    const supervisor = await runSupervisor(plan, values.plan, {
      guardian: values.guardian === undefined ? null : Number(values.guardian),
      resumes: values.resume ? { restarts: Number(values.restarts), ended: values.ended ?? '' } : null,
    });
    const stop = (signal: string) => (): void => supervisor.stop(signal, 10_000);
    process.on('SIGTERM', stop('SIGTERM'));
    process.on('SIGINT', stop('SIGINT'));
    const left = await supervisor.ended;
    process.exit(left.length === 0 ? 0 : 1);
  } catch (error) {
    const wire = toWireError(error);
    const full = wire.code === 'STORAGE_FULL' || (error as NodeJS.ErrnoException).code === 'ENOSPC';
    const code = full ? 'STORAGE_FULL' : wire.code;
    // The starter reads this line.
    process.stderr.write(`${JSON.stringify({ grace: 'supervisor', error: { code, message: wire.message } })}\n`);
    process.exit(full ? EXIT_STORAGE_FULL : 1);
  }
}
