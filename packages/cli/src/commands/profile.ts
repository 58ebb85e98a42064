import type { ProfileKind } from '@grace/contracts';
import { Command } from 'commander';
import { OK } from '../exit.ts';
import { showBytes, showMs } from '../output/figures.ts';
import { printable } from '../output/output.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';
import { durationUpTo } from './arguments.ts';

interface ProfileOptions extends GlobalOptions {
  heap?: boolean;
  for: number;
}

/** A longer profile is a file that nobody opens, ms. */
const LONGEST_MS = 60_000;
/** Attaching, and writing the file, ms. */
const AROUND_MS = 15_000;

export function profileCommand(start: Start): Command {
  return new Command('profile')
    .description('profile the thread of a kernel and keep that as evidence')
    .argument('<kernel>', 'its id')
    .option('--heap', 'what it allocates, and where; without it: where its CPU time goes')
    .option('--for <duration>', 'how long to watch, at most 60s', durationUpTo(LONGEST_MS, '60s'), 5000)
    .action(async (kernel: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<ProfileOptions>();
      await start(options, (session) => profile(session, kernel, options.heap ? 'heap' : 'cpu', options.for));
    });
}

async function profile(session: Session, kernel: string, kind: ProfileKind, durationMs: number): Promise<number> {
  const { out } = session;
  out.note(`watching ${kernel} for ${showMs(durationMs)}`);
  const result = await withSystem(session, (client) =>
    client.request('profile', { kernel, kind, durationMs }, durationMs + AROUND_MS),
  );
  if (out.json) {
    out.document(result);
    return OK;
  }
  out.line(`${result.file} (${showBytes(result.bytes)})`);
  for (const line of result.top) out.line(`  ${printable(line)}`);
  return OK;
}
