import { Command } from 'commander';
import { OK } from '../exit.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';

/** Draining the kernel, and ending its thread where it does not drain, ms. */
const DEADLINE_MS = 20_000;

export function pauseCommand(start: Start): Command {
  return new Command('pause')
    .description('drain a kernel and keep it down until it is resumed')
    .argument('<kernel>', 'its id')
    .action(async (kernel: string, _: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), (session) => pause(session, kernel));
    });
}

async function pause(session: Session, kernel: string): Promise<number> {
  const { out } = session;
  const result = await withSystem(session, (client) => client.request('pause', { kernel, by: 'cli' }, DEADLINE_MS));
  if (out.json) out.document(result);
  else out.line(`${result.kernel} is paused; grace resume ${result.kernel} brings it back`);
  return OK;
}
