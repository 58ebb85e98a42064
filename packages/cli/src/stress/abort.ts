import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT, GraceError } from '@grace/contracts';
import { requestStop } from '../commands/stop.ts';
import { OK } from '../exit.ts';
import type { Session } from '../session.ts';
import { guardianOf, isRunning, killAll, untilGone } from '../system/processes.ts';
import { processesOf } from './leftovers.ts';
import { forgetRun, readRunFile } from './run-file.ts';

/** A run that is asked to end undoes its faults, drains its system and writes its report, ms. */
const END_MS = 60_000;

/** Ends the run under way in a home; also one whose command line was killed and left everything behind. */
export async function abortRun(session: Session): Promise<number> {
  const { out, home } = session;
  const run = readRunFile(home);
  if (!run) throw new GraceError('NOT_RUNNING', `no run is under way in ${home}`);
  if (isRunning(run.command)) {
    process.kill(run.command.pid, 'SIGINT');
    out.note(`asked run ${run.run} (pid ${run.command.pid}) to end`);
    const left = await untilGone([run.command], END_MS);
    if (left.length > 0) {
      throw new GraceError('DEADLINE', `run ${run.run} (pid ${run.command.pid}) did not end within ${END_MS} ms`);
    }
  } else {
    out.note(`the command of run ${run.run} is gone; ending what it left behind`);
    if (run.runner && isRunning(run.runner)) process.kill(run.runner.pid, 'SIGINT');
    if (run.runner) killAll(await untilGone([run.runner], 30_000));
    if (!run.attach) await endSystem(run.system);
    forgetRun(home);
  }
  const left = run.attach ? [] : processesOf(run.system);
  if (out.json) out.document({ run: run.run, left: left.map(({ pid }) => pid), system: run.system });
  else if (left.length > 0) out.line(out.paint('bad', `still there: pid ${left.map(({ pid }) => pid).join(', ')}`));
  else
    out.line(
      `run ${run.run} has ended${run.attach ? '' : '; nothing of its system is left running'}${run.attach ? '' : kept(run.system)}`,
    );
  return left.length === 0 ? OK : EXIT.cleanupIncomplete;
}

/** Drains the system of a run and ends at once what does not; answers with what is still there. */
export async function endSystem(home: string): Promise<string[]> {
  const drainMs = 10_000;
  try {
    const system = await requestStop(home, drainMs, 'grace stress has ended');
    await untilGone(system, drainMs + 5000);
  } catch (error) {
    if (!(error instanceof GraceError)) throw error;
  }
  killAll([...guardianOf(home), ...processesOf(home)]);
  return (await untilGone(processesOf(home), 3000)).map(({ pid }) => `process ${pid}`);
}

/** Where the journal is of a run that could not write its report. */
function kept(system: string): string {
  return existsSync(system) ? `; its journal stays in ${system}` : '';
}

export const runHome = (home: string, run: string): string => join(home, `stress-${run}`);
