import { Command } from 'commander';
import { OK } from '../exit.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';

/** Draining the kernel, and ending its thread where it does not drain, ms. */
const DEADLINE_MS = 20_000;

interface QuarantineOptions extends GlobalOptions {
  reason: string;
}

export function quarantineCommand(start: Start): Command {
  return new Command('quarantine')
    .description('end a kernel and keep it down, with an incident for people; others go on')
    .argument('<kernel>', 'its id')
    .option('--reason <text>', 'why, for the journal and the incident', 'by hand')
    .action(async (kernel: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<QuarantineOptions>();
      await start(options, (session) => quarantine(session, kernel, options.reason));
    });
}

async function quarantine(session: Session, kernel: string, reason: string): Promise<number> {
  const { out } = session;
  const result = await withSystem(session, (client) =>
    client.request('quarantine', { kernel, by: 'cli', reason }, DEADLINE_MS),
  );
  if (out.json) out.document(result);
  else out.line(`${result.kernel} is quarantined; grace resume ${result.kernel} brings it back`);
  return OK;
}
