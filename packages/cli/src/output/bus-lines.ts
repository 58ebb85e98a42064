import type {
  BusLatency,
  BusPrincipal,
  BusStatistics,
  BusTotals,
  DeadLetterPage,
  DurableConsumerStatus,
  DurableStatistics,
} from '@grace/contracts';
import { NOTHING, showBytes, showMs } from './figures.ts';
import { type Output, printable } from './output.ts';
import { type Column, table } from './table.ts';

/** The equation every family must keep, in one line. */
export function balanceLine(bus: BusTotals, out: Output): string {
  const sum = bus.handled + bus.rejected + bus.expired + bus.deadLettered + bus.waiting;
  const line = `bus: ${bus.accepted} accepted = ${bus.handled} handled + ${bus.rejected} rejected + ${bus.expired} expired + ${bus.deadLettered} dead-lettered + ${bus.waiting} waiting; ${bus.denied} denied`;
  return sum === bus.accepted ? line : out.paint('bad', `${line} (does not add up: ${sum - bus.accepted})`);
}

/** What is left of a mute. */
export function mutedFor(untilMono: number): string {
  return showMs(Math.max(0, untilMono - Number(process.hrtime.bigint() / 1000n) / 1000));
}

export function unbalancedLines(unbalanced: BusStatistics['unbalanced'], out: Output): string[] {
  return unbalanced.map(({ family, difference }) =>
    out.paint(
      'bad',
      `${printable(family)}: ${Math.abs(difference)} ${difference > 0 ? 'messages are missing' : 'messages are counted twice'}`,
    ),
  );
}

/** Statistics as a person reads them. */
export function statisticsLines(statistics: BusStatistics, out: Output): string[] {
  const dim = (text: string): string => out.paint('dim', text);
  const families = Object.entries(statistics.families).map(([family, account]) => ({
    family,
    ...account,
    latency: statistics.latency[family],
  }));
  const principals = Object.entries(statistics.principals).map(([name, one]) => ({ name, ...one }));
  return [
    balanceLine(statistics, out),
    ...unbalancedLines(statistics.unbalanced, out),
    '',
    ...table(FAMILY_COLUMNS, families, dim),
    '',
    ...table(principalColumns(out), principals, dim),
    '',
    ...table(CLIENT_COLUMNS, statistics.clients, dim),
    ...durableLines(statistics.durable, out),
  ];
}

type Family = BusTotals & { family: string; latency: BusLatency | undefined };

const count = (head: string, of: (row: Family) => number): Column<Family> => ({
  head,
  cell: (row) => String(of(row)),
  align: 'right',
});

const FAMILY_COLUMNS: Column<Family>[] = [
  { head: 'FAMILY', cell: ({ family }) => printable(family) },
  count('ACCEPTED', ({ accepted }) => accepted),
  count('HANDLED', ({ handled }) => handled),
  count('REJECTED', ({ rejected }) => rejected),
  count('EXPIRED', ({ expired }) => expired),
  count('DEAD', ({ deadLettered }) => deadLettered),
  count('WAITING', ({ waiting }) => waiting),
  count('DENIED', ({ denied }) => denied),
  { head: 'P50', cell: ({ latency }) => showLatency(latency?.p50Ms), align: 'right' },
  { head: 'P99', cell: ({ latency }) => showLatency(latency?.p99Ms), align: 'right' },
];

function principalColumns(out: Output): Column<BusPrincipal & { name: string }>[] {
  return [
    { head: 'PRINCIPAL', cell: ({ name }) => printable(name) },
    { head: 'PUBLISHED', cell: ({ published }) => String(published), align: 'right' },
    { head: 'P99', cell: ({ latency }) => showLatency(latency.p99Ms), align: 'right' },
    { head: 'DENIED', cell: ({ denied }) => (denied === 0 ? '0' : out.paint('warn', String(denied))), align: 'right' },
    {
      head: 'MUTED FOR',
      cell: ({ mutedUntilMono }) => (mutedUntilMono === null ? NOTHING : out.paint('warn', mutedFor(mutedUntilMono))),
      align: 'right',
    },
    { head: 'LEVEL', cell: ({ level }) => String(level), align: 'right' },
    { head: 'LAST DENIED', cell: ({ lastSubject }) => printable(lastSubject) || NOTHING },
  ];
}

const CLIENT_COLUMNS: Column<BusStatistics['clients'][number]>[] = [
  { head: 'CLIENT', cell: ({ principal }) => printable(principal) },
  { head: 'WIRE', cell: ({ wire }) => wire },
  { head: 'INCARNATION', cell: ({ incarnation }) => String(incarnation), align: 'right' },
];

function durableLines(durable: DurableStatistics | null, out: Output): string[] {
  if (durable === null) return ['', 'nothing is kept on disk'];
  const { waiting, unclaimed, dead, redelivered, duplicates, refused, commits, commitMs, fileBytes, storage } = durable;
  const line = `on disk: ${waiting} waiting, ${unclaimed} of them unclaimed; ${dead} dead; ${redelivered} redelivered, ${duplicates} known already, ${refused} refused`;
  const disk = `${commits} commits, p50 ${showLatency(commitMs.p50)}, p99 ${showLatency(commitMs.p99)}; ${showBytes(fileBytes)}`;
  return [
    '',
    line,
    disk,
    ...(storage === 'open' ? [] : [out.paint('bad', 'the storage thread is being started again')]),
    ...(durable.consumers.length === 0
      ? []
      : ['', ...table(CONSUMER_COLUMNS, durable.consumers, (text) => out.paint('dim', text))]),
  ];
}

const CONSUMER_COLUMNS: Column<DurableConsumerStatus>[] = [
  { head: 'CONSUMER', cell: ({ name }) => printable(name) },
  { head: 'PATTERN', cell: ({ pattern }) => printable(pattern) },
  { head: 'MEMBERS', cell: ({ members }) => String(members), align: 'right' },
  { head: 'WAITING', cell: ({ waiting }) => String(waiting), align: 'right' },
  { head: 'SENT', cell: ({ unacknowledged }) => String(unacknowledged), align: 'right' },
  { head: 'OLDEST', cell: ({ oldestMs }) => showMs(oldestMs), align: 'right' },
];

/** Latencies of a bus are mostly below what whole milliseconds can say. */
function showLatency(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return NOTHING;
  return ms < 10 ? `${ms.toFixed(ms < 1 ? 2 : 1)} ms` : showMs(ms);
}

export function deadLetterLines({ letters, total }: DeadLetterPage, out: Output): string[] {
  if (letters.length === 0) return ['no dead letters'];
  const columns: Column<DeadLetterPage['letters'][number]>[] = [
    { head: 'ID', cell: ({ id }) => String(id), align: 'right' },
    { head: 'SUBJECT', cell: ({ subject }) => printable(subject) },
    { head: 'FROM', cell: ({ from }) => printable(from) },
    { head: 'CONSUMER', cell: ({ consumer }) => printable(consumer) },
    { head: 'ATTEMPTS', cell: ({ attempts }) => String(attempts), align: 'right' },
    { head: 'DIED', cell: ({ diedAt }) => new Date(diedAt).toISOString() },
    { head: 'REASON', cell: ({ reason, error }) => printable(error === undefined ? reason : `${reason}: ${error}`) },
  ];
  const lines = table(columns, letters, (text) => out.paint('dim', text));
  const [head, ...rows] = lines;
  return [
    head!,
    ...rows.flatMap((row, i) =>
      'payload' in letters[i]! ? [row, `    ${printable(JSON.stringify(letters[i]!.payload) ?? 'nothing')}`] : [row],
    ),
    ...(total > letters.length ? [`${letters.length} of ${total}`] : []),
  ];
}
