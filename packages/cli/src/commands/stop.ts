import { GraceError } from '@grace/contracts';
import { Command } from 'commander';
import { FAILURE, OK } from '../exit.ts';
import { showMs } from '../output/figures.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { connect } from '../system/connect.ts';
import { guardianOf, identify, killAll, type ProcessId, untilGone } from '../system/processes.ts';
import { milliseconds } from './arguments.ts';

interface StopOptions extends GlobalOptions {
  timeout: number;
}

export function stopCommand(start: Start): Command {
  return new Command('stop')
    .description('drain the kernels and end; nothing is left behind')
    .option('--timeout <duration>', 'how long kernels may take to drain', milliseconds, 10_000)
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<StopOptions>();
      await start(options, (session) => stop(session, options.timeout));
    });
}

/** What the supervisor needs beyond the drain: to end its cells and close its journal, ms. */
const CLOSE_MS = 5000;

async function stop(session: Session, timeoutMs: number): Promise<number> {
  const { out, home } = session;
  const began = performance.now();
  const system = await requestStop(home, timeoutMs);
  const left = await untilGone(system, timeoutMs + CLOSE_MS);
  killAll([...guardianOf(home), ...left]);
  const immortal = await untilGone(left, 2000);
  const ms = Math.round(performance.now() - began);
  const pids = (processes: readonly ProcessId[]): number[] => processes.map(({ pid }) => pid);

  if (out.json) {
    out.document({ stopped: immortal.length === 0, ms, pid: system[0]!.pid, killed: pids(left), left: pids(immortal) });
  } else if (immortal.length > 0) {
    out.line(out.paint('bad', `still there after SIGKILL: pid ${pids(immortal).join(', ')}`));
  } else {
    const how =
      left.length === 0 ? 'drained' : `did not drain in time; ended with SIGKILL: pid ${pids(left).join(', ')}`;
    out.line(`stopped in ${showMs(ms)}: ${how}`);
  }
  return immortal.length === 0 ? OK : FAILURE;
}

/** Asks the system of a home to stop; answers with the processes that will end: supervisor, guardian, cells. */
export async function requestStop(home: string, timeoutMs: number, reason = 'grace stop'): Promise<ProcessId[]> {
  const client = await connect(home);
  try {
    const supervisor = identify(client.supervisor.pid);
    const status = await client.request('status', {});
    const cells = status.cells.flatMap(({ pid }) => (pid === null ? [] : [identify(pid)]));
    await client.request('stop', { timeoutMs, reason }).catch((error: unknown) => {
      // A system that stops already may hang up before it answers.
      if (!(error instanceof GraceError) || error.code !== 'CONNECTION_CLOSED') throw error;
    });
    const { guardianPid } = status.system;
    return [supervisor, ...(guardianPid === null ? [] : [identify(guardianPid)]), ...cells];
  } finally {
    client.close();
  }
}
