import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, GraceError, type StatusDocument } from '@grace/contracts';
import { Command } from 'commander';
import { OK } from '../exit.ts';
import { statusLines } from '../output/status-lines.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';
import { watchInterrupts } from '../system/interrupts.ts';
import { milliseconds } from './arguments.ts';

interface StatusOptions extends GlobalOptions {
  watch?: boolean;
  interval: number;
}

export function statusCommand(start: Start): Command {
  return new Command('status')
    .alias('top')
    .description('the state of system, cells and kernels; `grace top` is the same')
    .option('--watch', 'look again and again until Ctrl-C')
    .option('--interval <duration>', 'how often to look', milliseconds, 1000)
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<StatusOptions>();
      await start(options, (session) => (options.watch ? watch(session, options.interval) : show(session)));
    });
}

async function show(session: Session): Promise<number> {
  const { out } = session;
  const status = await readStatus(session);
  if (out.json) out.document(status);
  else for (const line of statusLines(status, out)) out.line(line);
  return OK;
}

async function readStatus(session: Session): Promise<StatusDocument> {
  return await withSystem(session, (client) => client.request('status', {}));
}

/** Connects anew for each look, so it lives through the loss of a supervisor and says so meanwhile. */
async function watch(session: Session, intervalMs: number): Promise<number> {
  const { out } = session;
  // The first look fails as `grace status` does: nothing to watch is an error.
  let status: StatusDocument | undefined = await readStatus(session);
  const draw = out.live ? (await import('log-update')).createLogUpdate(out.stream) : undefined;
  const interrupts = watchInterrupts();
  try {
    while (interrupts.count === 0) {
      if (status && out.json) out.record(status);
      else if (status && draw) draw(statusLines(status, out).join('\n'));
      else if (status) for (const line of [...statusLines(status, out), '']) out.line(line);
      await Promise.race([sleep(intervalMs), interrupts.first]);
      try {
        status = await readStatus(session);
      } catch (error) {
        if (!(error instanceof GraceError)) throw error;
        if (draw) draw(out.paint('bad', error.message));
        else out.note(error.message);
        status = undefined;
      }
    }
    return EXIT.interrupted;
  } finally {
    draw?.done();
    interrupts.done();
  }
}
