import { Command } from 'commander';
import { OK } from '../exit.ts';
import { showMs } from '../output/figures.ts';
import { printable } from '../output/output.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';

/** Attaching to the thread and pausing it for an instant; a thread in native code never answers, ms. */
const DEADLINE_MS = 10_000;

export function stackCommand(start: Start): Command {
  return new Command('stack')
    .description('where the thread of a kernel is at this moment')
    .argument('<kernel>', 'its id')
    .action(async (kernel: string, _: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), (session) => stack(session, kernel));
    });
}

async function stack(session: Session, kernel: string): Promise<number> {
  const { out } = session;
  const result = await withSystem(session, (client) => client.request('stack', { kernel }, DEADLINE_MS));
  if (out.json) {
    out.document(result);
    return OK;
  }
  if (result.frames.length === 0) out.line(`${kernel} runs no JavaScript at this moment: it waits for work`);
  for (const { function: name, file, line, column } of result.frames)
    out.line(`at ${printable(name === '' ? '(anonymous)' : name)} (${printable(file)}:${line}:${column})`);
  out.note(`taken in ${showMs(result.ms)}`);
  return OK;
}
