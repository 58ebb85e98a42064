import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { GraceError, HOME } from '@grace/contracts';
import { type Verification, verifyLedger } from '@grace/ledger';
import { Command } from 'commander';
import { FAILURE, OK } from '../exit.ts';
import { printable } from '../output/output.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';

export function logCommand(start: Start): Command {
  const log = new Command('log').description(
    'the tamper-evident records: the journal, and that of the immutable_log kernel',
  );
  log
    .command('verify')
    .description('compute every checksum, hash and link again; exit 1 when one does not fit')
    .action(async (_: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), verify);
    });
  return log;
}

interface VerifiedLedger extends Verification {
  id: string;
  path: string;
}

async function verify(session: Session): Promise<number> {
  const { out, home } = session;
  const places = {
    journal: join(home, HOME.journal),
    immutable_log: join(home, HOME.state, 'immutable_log', 'ledger'),
  };
  const found: VerifiedLedger[] = [];
  for (const [id, path] of Object.entries(places)) {
    if (existsSync(path)) found.push({ id, path, ...(await verifyLedger(path)) });
  }
  if (found.length === 0) throw new GraceError('NOT_FOUND', `there is no record to verify in ${home}`, { home });
  const ok = found.every((ledger) => ledger.ok);
  if (out.json) out.document({ ok, ledgers: found });
  else for (const ledger of found) for (const line of ledgerLines(ledger, session)) out.line(line);
  return ok ? OK : FAILURE;
}

function ledgerLines({ id, ok, records, lastHash, problems, path }: VerifiedLedger, { out }: Session): string[] {
  const state = ok ? out.paint('good', 'whole') : out.paint('bad', `${problems.length} problems`);
  return [
    `${id}: ${state}, ${records} records, last ${lastHash.slice(0, 16)} (${path})`,
    ...problems.map(
      ({ kind, segment, offset, seq, message }) =>
        `  ${kind} at ${segment}:${offset}${seq === undefined ? '' : `, record ${seq}`}: ${printable(message)}`,
    ),
  ];
}
