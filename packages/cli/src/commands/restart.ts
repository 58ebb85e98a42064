import { Command } from 'commander';
import { OK } from '../exit.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';

/** Draining the old incarnation and starting the next one, ms. */
const DEADLINE_MS = 20_000;

export function restartCommand(start: Start): Command {
  return new Command('restart')
    .description('drain a kernel and start its next incarnation')
    .argument('<kernel>', 'its id')
    .action(async (kernel: string, _: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), (session) => restart(session, kernel));
    });
}

async function restart(session: Session, kernel: string): Promise<number> {
  const { out } = session;
  const result = await withSystem(session, (client) => client.request('restart', { kernel, by: 'cli' }, DEADLINE_MS));
  if (out.json) out.document(result);
  else out.line(`${result.kernel} is restarted: incarnation ${result.incarnation}`);
  return OK;
}
