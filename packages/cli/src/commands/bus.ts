import type { BusStatistics, DeadLetterPage } from '@grace/contracts';
import { Command } from 'commander';
import { loadPlan } from '../config/load.ts';
import { OK } from '../exit.ts';
import { deadLetterLines, statisticsLines } from '../output/bus-lines.ts';
import { showMs } from '../output/figures.ts';
import type { GlobalOptions, Session, Start, Work } from '../session.ts';
import { bootedWith } from '../system/booted-with.ts';
import { withSystem } from '../system/connect.ts';
import { durationUpTo, wholeNumber } from './arguments.ts';

const BUS = 'message_bus';
/** Longest mute by hand, as the verb takes it. */
const MUTE_MAX_MS = 24 * 3_600_000;
/** The broker may be starting, and waits for its disk. */
const DEADLINE_MS = 30_000;

export function busCommand(start: Start): Command {
  const bus = new Command('bus').description('what the bus counts, keeps and denies, and orders to it');
  const act = <O extends GlobalOptions>(command: Command, work: (options: O, ...args: string[]) => Work): Command =>
    command.action(async (...given: unknown[]) => {
      const options = command.optsWithGlobals<O>();
      await start(options, work(options, ...(given.slice(0, command.registeredArguments.length) as string[])));
    });
  act(
    bus.command('stats').description('totals, families, principals, clients, what is kept on disk'),
    () => (session) => stats(session),
  );
  act<DeadOptions>(
    bus
      .command('dead')
      .description('durable messages whose last attempt failed')
      .argument('[subject]', 'a subject or pattern')
      .option('--consumer <name>', 'only of this consumer')
      .option('--limit <letters>', 'show at most this many, oldest first', wholeNumber(1, 1000), 20)
      .option('--payload', 'show what they carry'),
    (options, subject) => (session) => dead(session, subject, options),
  );
  act<ReplayOptions>(
    bus
      .command('replay')
      .description('give dead letters back to their consumers')
      .argument('[which]', 'the id of one letter, or a subject or pattern')
      .option('--consumer <name>', 'only of this consumer')
      .option('--all', 'every one'),
    (options, which) => (session) => replay(session, which, options, bus),
  );
  act<MuteOptions>(
    bus
      .command('mute')
      .description('refuse everything a principal publishes, for a while')
      .argument('<principal>', 'its name')
      .option('--for <duration>', 'how long', durationUpTo(MUTE_MAX_MS, '24h'), 60_000),
    (options, principal) => (session) => mute(session, principal!, options.for),
  );
  act(
    bus.command('unmute').description('let a muted principal publish again').argument('<principal>', 'its name'),
    (_, principal) => (session) => unmute(session, principal!),
  );
  act(
    bus.command('reload').description('read the access rules again and put them in force, whole or not at all'),
    () => (session) => reload(session),
  );
  return bus;
}

interface DeadOptions extends GlobalOptions {
  consumer?: string;
  limit: number;
  payload?: boolean;
}

interface ReplayOptions extends GlobalOptions {
  consumer?: string;
  all?: boolean;
}

interface MuteOptions extends GlobalOptions {
  for: number;
}

async function ask<T>(session: Session, verb: string, input: object): Promise<T> {
  return await withSystem(
    session,
    async (client) => (await client.request('call', { kernel: BUS, verb, input, from: 'cli' }, DEADLINE_MS)) as T,
  );
}

async function stats(session: Session): Promise<number> {
  const { out } = session;
  const statistics = await ask<BusStatistics>(session, 'stats', {});
  if (out.json) out.document(statistics);
  else for (const line of statisticsLines(statistics, out)) out.line(line);
  return OK;
}

async function dead(session: Session, subject: string | undefined, options: DeadOptions): Promise<number> {
  const { out } = session;
  const { consumer, limit, payload = false } = options;
  const page = await ask<DeadLetterPage>(session, 'deadLetters', {
    ...(subject !== undefined && { subject }),
    ...(consumer !== undefined && { consumer }),
    limit,
    payload,
  });
  if (out.json) out.document(page);
  else for (const line of deadLetterLines(page, out)) out.line(line);
  return OK;
}

async function replay(
  session: Session,
  which: string | undefined,
  { consumer, all }: ReplayOptions,
  bus: Command,
): Promise<number> {
  const { out } = session;
  if (Boolean(all) === (which !== undefined || consumer !== undefined))
    bus.error('error: expected the id of a letter, a subject, --consumer, or --all alone');
  const isId = which !== undefined && /^\d+$/.test(which);
  const { replayed } = await ask<{ replayed: number }>(session, 'replay', {
    ...(which !== undefined && (isId ? { id: Number(which) } : { subject: which })),
    ...(consumer !== undefined && { consumer }),
    ...(all && { all }),
  });
  if (out.json) out.document({ replayed });
  else out.line(`${replayed} ${replayed === 1 ? 'message goes' : 'messages go'} back to be delivered`);
  return OK;
}

async function mute(session: Session, principal: string, periodMs: number): Promise<number> {
  const { out } = session;
  const muted = await ask<{ principal: string; periodMs: number; untilMono: number }>(session, 'mute', {
    principal,
    periodMs,
  });
  if (out.json) out.document(muted);
  else out.line(`${principal} is muted for ${showMs(periodMs)}`);
  return OK;
}

async function unmute(session: Session, principal: string): Promise<number> {
  const { out } = session;
  const answer = await ask<{ principal: string; unmuted: boolean }>(session, 'unmute', { principal });
  if (out.json) out.document(answer);
  else out.line(answer.unmuted ? `${principal} may publish again` : `${principal} was not muted`);
  return OK;
}

/** Read and checked as boot does; a file that is wrong never leaves this process. */
async function reload(session: Session): Promise<number> {
  const { out } = session;
  const { acl } = await loadPlan({ ...session, ...(await bootedWith(session)) }, { armed: false });
  const answer = await withSystem(session, (client) => client.request('bus.reload', { acl, by: 'cli' }, DEADLINE_MS));
  if (out.json) {
    out.document(answer);
    return OK;
  }
  const { principals, sha256, applied, ended } = answer;
  const when = applied ? 'in force' : 'kept: message_bus is down and starts with them';
  const lost = ended === 0 ? '' : `; ${ended} ${ended === 1 ? 'subscription' : 'subscriptions'} ended`;
  out.line(`access rules of ${principals} principals are ${when}${lost} (sha256 ${sha256.slice(0, 16)})`);
  return OK;
}
