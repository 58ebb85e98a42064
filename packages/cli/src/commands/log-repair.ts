import { type Repair, type RepairOrder, readEpoch, repairLedger } from '@grace/ledger';
import { Command } from 'commander';
import { FAILURE, OK } from '../exit.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { type RecordPlace, recordsOf, treeProblems, verifyRecord } from './log-records.ts';
import { problemLines } from './log-verify.ts';

interface RepairOptions extends GlobalOptions {
  yes?: boolean;
  dryRun?: boolean;
  reason: string;
}

export function logRepairCommand(start: Start): Command {
  return new Command('repair')
    .description('restore a damaged record of a stopped system from its mirror, or seal it and begin a new epoch')
    .argument('[record]', 'journal or immutable_log; both without it')
    .option('--yes', 'do it; without it nothing is done, and it is said what would be')
    .option('--dry-run', 'only say what would be done')
    .option('--reason <text>', 'what the seal says about why', 'ordered at the command line')
    .action(async (record: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<RepairOptions>();
      await start(options, (session) => repair(session, record, options));
    });
}

async function repair({ out, home }: Session, id: string | undefined, options: RepairOptions): Promise<number> {
  const isOrdered = options.yes === true && options.dryRun !== true;
  const done: { id: string; repair: Repair }[] = [];
  for (const place of recordsOf(home, id)) {
    done.push({ id: place.id, repair: await repairRecord(place, options.reason, !isOrdered) });
  }
  const isNeeded = done.some((one) => one.repair.action !== 'nothing');
  if (out.json) out.document({ done: isOrdered, records: done.map((one) => ({ id: one.id, ...one.repair })) });
  else for (const one of done) for (const line of linesOf(one.id, one.repair, isOrdered)) out.line(line);
  if (isNeeded && !isOrdered && !options.dryRun && !out.json) out.line('Nothing was done. With --yes it is.');
  return isOrdered || options.dryRun || !isNeeded ? OK : FAILURE;
}

async function repairRecord(place: RecordPlace, reason: string, dryRun: boolean): Promise<Repair> {
  const { dir, outerHead, mirror, tree } = place;
  const verified = await verifyRecord(place);
  const { base } = await readEpoch(dir);
  const signed = Math.max(verified.tree?.checkpoint?.size ?? 0, verified.tree?.witness?.size ?? 0);
  const problems = treeProblems(verified);
  const order: RepairOrder = { by: 'grace log repair', reason, problems, atLeast: base.seq + signed, dryRun };
  return repairLedger({ dir, outerHead, mirror, companions: tree ? [tree.logDir] : [] }, order);
}

function linesOf(id: string, { action, problems, seal, restored, epoch }: Repair, isDone: boolean): string[] {
  const verb = (past: string, future: string): string => (isDone ? past : `would be ${future}`);
  const ranges = (list: readonly { from: number; to: number }[] = []): string =>
    list.length === 0 ? 'none' : list.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
  switch (action) {
    case 'nothing':
      return [`${id}: whole, nothing to repair`];
    case 'truncated':
      return [`${id}: ${verb('cut off', 'cut off')} what a write that never finished left at the end`];
    case 'restored':
      return [
        `${id}: every record is there, damaged segments ${verb('were made again', 'made again')}${isDone ? `: ${restored?.segments.join(', ')}` : ''}`,
        ...problemLines(problems),
      ];
    case 'sealed':
      return [
        `${id}: epoch ${epoch - 1} ${verb('was sealed', 'sealed')}; epoch ${epoch} begins with record ${seal?.next}`,
        `  lost: ${ranges(seal?.lost)}; disputed: ${ranges(seal?.disputed)}; everything else stays readable`,
        ...problemLines(problems),
      ];
  }
}
