import { type LedgerProblem, PROBLEMS } from '@grace/ledger';
import { Command } from 'commander';
import { FAILURE, OK } from '../exit.ts';
import { type Output, printable } from '../output/output.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { recordsOf, type VerifiedRecord, verifyRecord } from './log-records.ts';

export function logVerifyCommand(start: Start): Command {
  return new Command('verify')
    .description('compute every checksum, hash, link and root again; exit 1 when one does not fit')
    .action(async (_: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), verify);
    });
}

async function verify({ out, home }: Session): Promise<number> {
  const found: VerifiedRecord[] = [];
  for (const place of recordsOf(home)) found.push(await verifyRecord(place));
  const ok = found.every((record) => record.ok);
  if (out.json) out.document({ ok, ledgers: found });
  else for (const record of found) for (const line of linesOf(record, out)) out.line(line);
  return ok ? OK : FAILURE;
}

function linesOf({ id, ok, records, lastHash, problems, epochs, tree, path }: VerifiedRecord, out: Output): string[] {
  const count = problems.length + (tree?.problems.length ?? 0);
  const state = ok ? out.paint('good', 'whole') : out.paint('bad', `${count} problem${count === 1 ? '' : 's'}`);
  return [
    `${id}: ${state}, ${records} records, last ${lastHash.slice(0, 16)} (${path})`,
    ...epochs.map(({ epoch, sealedAtMs, by, records: kept, lost, disputed }) => {
      const gone = `${countOf(lost)} lost, ${countOf(disputed)} disputed`;
      return `  epoch ${epoch} was sealed at ${new Date(sealedAtMs).toISOString()} by ${printable(by)}: ${kept} records readable, ${gone}`;
    }),
    ...problemLines(problems),
    ...(tree?.problems ?? []).map(({ kind, message }) => `  tree, ${kind}: ${printable(message)}`),
    ...(ok ? [] : [`  What a repair would do: grace log repair ${id} --dry-run`]),
  ];
}

/** Each problem with its place; what its kind means, once. */
export function problemLines(problems: readonly LedgerProblem[]): string[] {
  const told = new Set<string>();
  return problems.flatMap(({ kind, segment, offset, seq, message }) => {
    const where = `${segment}:${offset}${seq === undefined ? '' : `, record ${seq}`}`;
    const line = `  ${kind} at ${where}: ${printable(message)}`;
    if (told.has(kind)) return [line];
    told.add(kind);
    return [line, `    ${PROBLEMS[kind]}`];
  });
}

const countOf = (ranges: readonly { from: number; to: number }[]): number =>
  ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0);
