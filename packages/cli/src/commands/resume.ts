import { Command } from 'commander';
import { OK } from '../exit.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';

/** Starting the next incarnation, to its first answered probe, ms. */
const DEADLINE_MS = 20_000;

export function resumeCommand(start: Start): Command {
  return new Command('resume')
    .description('bring back a kernel that is paused, quarantined or failed')
    .argument('<kernel>', 'its id')
    .action(async (kernel: string, _: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), (session) => resume(session, kernel));
    });
}

async function resume(session: Session, kernel: string): Promise<number> {
  const { out } = session;
  const result = await withSystem(session, (client) => client.request('resume', { kernel, by: 'cli' }, DEADLINE_MS));
  if (out.json) out.document(result);
  else out.line(`${result.kernel} is back: incarnation ${result.incarnation}`);
  return OK;
}
