import { Command } from 'commander';
import { OK } from '../exit.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';

/** Draining the kernel where it is, starting a cell, and starting it there, ms. */
const DEADLINE_MS = 20_000;

export function isolateCommand(start: Start): Command {
  return new Command('isolate')
    .description('move a kernel into a cell of its own')
    .argument('<kernel>', 'its id')
    .action(async (kernel: string, _: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), (session) => isolate(session, kernel));
    });
}

async function isolate(session: Session, kernel: string): Promise<number> {
  const { out } = session;
  const result = await withSystem(session, (client) => client.request('isolate', { kernel, by: 'cli' }, DEADLINE_MS));
  if (out.json) out.document(result);
  else out.line(`${result.kernel} now lives in cell ${result.cell}`);
  return OK;
}
