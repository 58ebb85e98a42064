import type { JournalRecord, RecordProblem } from '@grace/contracts';
import { eventually } from '../observe/wait.ts';
import { CHECK_DEADLINE_MS, type CheckContext, type CheckResult } from './context.ts';

const poll = { deadlineMs: CHECK_DEADLINE_MS, everyMs: 100 };
const ANSWER_MS = 5000;
const LOG = 'immutable_log';
/** What the ledger writes into itself when it has cut off a write that did not finish. */
const CUTS = { subsystem: LOG, action: 'truncate', limit: 20 };
/** Records of one answer. */
const PAGE = 1000;

/** One flaw as the system names it (docs/ledger.md). */
type Flaw = Omit<RecordProblem, 'message'>;

/** Where the damage was done, by what the laboratory kept of it. */
function placeOf({
  injection,
  observed,
}: CheckContext): { segment: string; offset: number; seq: number | null } | null {
  const damage = injection.damage();
  if (damage) return { segment: damage.segment, offset: damage.offset, seq: damage.seq };
  const { segment, offset } = observed;
  return typeof segment === 'string' && typeof offset === 'number' ? { segment, offset, seq: null } : null;
}

/** A torn tail is met by the next start of the writer, which records what it cut off; other damage is told in the journal. */
async function flawsOf({ records, control }: CheckContext): Promise<(Flaw & { from: string })[]> {
  const told = (await records()).flatMap((record) =>
    record.name === 'record:damaged' && record.data.ledger === LOG
      ? record.data.problems.map((problem) => ({ ...problem, from: `#${record.seq}` }))
      : [],
  );
  const cuts = (await control.request('call', order('search', CUTS), ANSWER_MS)) as {
    entries?: { seq: number; payload: { segment: string; offset: number } }[];
  };
  const cut = (cuts.entries ?? []).map(({ seq, payload: { segment, offset } }) => ({
    ...{ kind: 'torn-tail', segment, offset },
    from: `entry ${seq} of the record`,
  }));
  return [...told, ...cut];
}

const order = (verb: string, input: unknown) => ({ kernel: LOG, verb, input, from: 'cli' });

export async function damageNamed(context: CheckContext, kind: string | number | null): Promise<CheckResult> {
  const place = placeOf(context);
  if (!place)
    return { expected: `${kind} named where it is`, observed: 'where the damage was done is not known', ok: null };
  const where = `${place.segment}, byte ${place.offset}${place.seq === null ? '' : `, record ${place.seq}`}`;
  const fits = (flaw: Flaw): boolean =>
    flaw.kind === kind &&
    flaw.segment === place.segment &&
    (flaw.offset === place.offset || (place.seq !== null && flaw.seq === place.seq));
  const found = await eventually(async () => (await flawsOf(context)).find(fits) ?? null, poll);
  const named = found ? [found] : await flawsOf(context);
  const said = named.map(
    (flaw) => `${flaw.kind} in ${flaw.segment}, byte ${flaw.offset}, record ${flaw.seq ?? '?'} (${flaw.from})`,
  );
  return {
    expected: `${kind} in ${where}`,
    observed: said.slice(0, 5).join('; ') || 'nothing was named',
    ok: found !== null,
  };
}

export async function recordRepaired({ records }: CheckContext, ways: string | number | null): Promise<CheckResult> {
  const allowed = String(ways).split(' or ');
  const repaired = async (): Promise<JournalRecord<'record:repaired'>[]> =>
    (await records()).filter((record) => record.name === 'record:repaired').filter(({ data }) => data.ledger === LOG);
  const found = await eventually(
    async () => (await repaired()).find(({ data }) => allowed.includes(data.action)) ?? null,
    poll,
  );
  const last = found ?? (await repaired()).at(-1);
  return {
    expected: `the record ${ways}`,
    observed: last ? describe(last) : 'no repair is recorded',
    ok: found !== null,
  };
}

function describe({ seq, data }: JournalRecord<'record:repaired'>): string {
  const { action, by, epoch, lost, disputed, restored } = data;
  const made = restored.length === 0 ? '' : `, ${restored.join(', ')} made again`;
  return `#${seq} ${action} by ${by} in ${Math.round(data.tookMs)} ms${made}; epoch ${epoch}, ${lost} lost, ${disputed} disputed`;
}

export async function recordWhole({ control }: CheckContext): Promise<CheckResult> {
  const answer = (await control.request('call', order('verify', {}), ANSWER_MS)) as {
    ok?: boolean;
    records?: number;
    problems?: Flaw[];
  };
  const problems = (answer.problems ?? []).map(({ kind, segment }) => `${kind} in ${segment}`);
  return {
    expected: 'no flaw',
    observed: `${answer.records ?? 'unknown'} records, ${problems.join('; ') || (answer.ok ? 'no flaw' : 'not whole')}`,
    ok: answer.ok ?? null,
  };
}

/** What the workload was told is on the record must be there when it asks, whatever was done to the files. */
export async function acknowledgedKept({ control, acknowledged }: CheckContext): Promise<CheckResult> {
  const promised = acknowledged();
  const expected = `${promised.length} acknowledged appends read back`;
  if (promised.length === 0) return { expected, observed: 'none was acknowledged', ok: null };
  const wanted = new Map(promised.map(({ seq, number }) => [seq, number]));
  const last = Math.max(...wanted.keys());
  let from: number | null = Math.min(...wanted.keys());
  while (from !== null && from <= last) {
    const page = (await control.request('call', order('read', { from, limit: PAGE }), ANSWER_MS)) as {
      entries: { seq: number; payload?: { number?: number } }[];
      next: number | null;
    };
    for (const { seq, payload } of page.entries) if (wanted.get(seq) === payload?.number) wanted.delete(seq);
    from = page.next;
  }
  const missing = [...wanted.keys()].sort((a, b) => a - b);
  return {
    expected,
    observed:
      missing.length === 0
        ? `all ${promised.length}, up to record ${last}`
        : `${missing.length} missing or changed: records ${missing.slice(0, 10).join(', ')}`,
    ok: missing.length === 0,
  };
}
