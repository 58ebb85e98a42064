import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, GraceError, HOME } from '@grace/contracts';
import { type LedgerRecord, readLedger } from '@grace/ledger';
import { Command } from 'commander';
import { OK } from '../exit.ts';
import { type Output, printable } from '../output/output.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { watchInterrupts } from '../system/interrupts.ts';
import { wholeNumber } from './arguments.ts';

interface TailOptions extends GlobalOptions {
  follow?: boolean;
  lines: number;
}

/** How often the files are looked at while following, ms. */
const LOOK_MS = 200;

export function logTailCommand(start: Start): Command {
  return new Command('tail')
    .description('the newest entries of the audit record; from its files, so also without a running system')
    .option('-f, --follow', 'go on with what is appended from now on, until Ctrl-C')
    .option('-n, --lines <count>', 'how many of the last entries', wholeNumber(0, 100_000), 20)
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<TailOptions>();
      await start(options, (session) => tail(session, options));
    });
}

async function tail({ out, home }: Session, { follow, lines }: TailOptions): Promise<number> {
  const dir = join(home, HOME.state, 'immutable_log', 'ledger');
  if (!existsSync(dir)) throw new GraceError('NOT_FOUND', `there is no audit record in ${home}`, { home });
  const newest = await newestRecords(dir, Math.max(1, lines));
  for (const record of lines === 0 ? [] : newest) tell(record, out);
  if (!follow) return OK;
  let seen = newest.at(-1)?.seq ?? 0;
  const interrupts = watchInterrupts();
  try {
    while (interrupts.count === 0) {
      await Promise.race([sleep(LOOK_MS), interrupts.first]);
      for await (const record of readLedger(dir, seen + 1, Number.MAX_SAFE_INTEGER)) {
        tell(record, out);
        seen = record.seq;
        if (interrupts.count > 0) break;
      }
    }
    return EXIT.interrupted;
  } finally {
    interrupts.done();
  }
}

/** The last `count`. A segment is named after its first record, so only as many are read as it takes. */
async function newestRecords(dir: string, count: number): Promise<LedgerRecord[]> {
  const firsts = (await readdir(dir)).flatMap((name) => /^(\d{16})\.segment$/.exec(name)?.[1] ?? []).map(Number);
  // Before the first segment stand those of sealed epochs.
  const starts = [1, ...firsts.sort((a, b) => a - b)];
  for (let i = starts.length - 1; ; i--) {
    const newest: LedgerRecord[] = [];
    for await (const record of readLedger(dir, starts[i]!, Number.MAX_SAFE_INTEGER)) {
      newest.push(record);
      if (newest.length > count) newest.shift();
    }
    if (newest.length >= count || i === 0) return newest;
  }
}

function tell({ seq, atMs, kind, hash, payload }: LedgerRecord, out: Output): void {
  const text = Buffer.from(payload).toString('utf8');
  const entry = JSON.parse(text) as Record<string, unknown>;
  if (out.json) {
    out.record({ seq, atMs, kind, hash, entry });
    return;
  }
  const at = out.paint('dim', new Date(atMs).toISOString());
  const word = (name: string) => printable(String(entry[name] ?? ''));
  const said =
    kind === 'data' ? `${word('actor')} ${word('action')} ${word('resource')}: ${word('outcome')}` : printable(text);
  const where = kind === 'data' ? `${word('subsystem')}, by ${word('by')}` : `ledger, ${kind}`;
  out.line(`${at} ${seq} ${said.replaceAll('\n', ' ')} ${out.paint('dim', `(${where})`)}`);
}
