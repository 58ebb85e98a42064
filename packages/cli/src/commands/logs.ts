import { setTimeout as sleep } from 'node:timers/promises';
import { didYouMean, EXIT, GraceError } from '@grace/contracts';
import { Command } from 'commander';
import { OK } from '../exit.ts';
import { LogFolder } from '../logs/log-folder.ts';
import { type LogRecord, logLine } from '../logs/log-line.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { watchInterrupts } from '../system/interrupts.ts';
import { wholeNumber } from './arguments.ts';

interface LogsOptions extends GlobalOptions {
  follow?: boolean;
  lines: number;
}

/** How often the files are looked at while following, ms. */
const LOOK_MS = 200;

export function logsCommand(start: Start): Command {
  return new Command('logs')
    .description('what kernels wrote to their logs')
    .argument('[kernel]', 'only this kernel')
    .option('-f, --follow', 'go on with what is written from now on, until Ctrl-C')
    .option('-n, --lines <count>', 'how many of the last lines', wholeNumber(0, 100_000), 100)
    .action(async (kernel: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<LogsOptions>();
      await start(options, (session) => logs(session, kernel, options));
    });
}

async function logs(session: Session, kernel: string | undefined, options: LogsOptions): Promise<number> {
  const { out } = session;
  const folder = new LogFolder(session.home);
  const tell = (records: readonly LogRecord[]): void => {
    for (const record of records) {
      if (kernel !== undefined && record.kernel !== kernel) continue;
      if (out.json) out.record(record);
      else out.line(logLine(record, out));
    }
  };
  const all = await folder.read();
  const known = new Set(all.map((record) => record.kernel).filter((id) => id !== undefined));
  if (kernel !== undefined && !known.has(kernel) && !options.follow) {
    throw new GraceError(
      'UNKNOWN_KERNEL',
      `the logs in ${folder.path} hold nothing of "${kernel}"${didYouMean(kernel, known)}`,
      { kernel },
    );
  }
  const mine = kernel === undefined ? all : all.filter((record) => record.kernel === kernel);
  tell(options.lines === 0 ? [] : mine.slice(-options.lines));
  if (!options.follow) return OK;

  const interrupts = watchInterrupts();
  try {
    while (interrupts.count === 0) {
      await Promise.race([sleep(LOOK_MS), interrupts.first]);
      tell(await folder.read());
    }
    return EXIT.interrupted;
  } finally {
    interrupts.done();
  }
}
