import type { JournalRecord } from '@grace/contracts';
import { shareBetween } from '../observe/target-readings.ts';
import { eventually } from '../observe/wait.ts';
import { CHECK_DEADLINE_MS, type CheckContext, type CheckResult } from './context.ts';

/** A limit has taken hold this long after it was set, ms: the period of a CPU limit is 100 ms. */
const SETTLED_MS = 300;
/** A share is measured over at least this much, ms. */
const MEASURED_MS = 1500;
/** A limit is lifted when the kernel has been calm for 2 s, and a throttled thread needs its time to become so. */
const LIFT_DEADLINE_MS = 8000;

/** The limits set for the target since the trial began, in the order of the journal. */
async function limitsOf({ records, target }: CheckContext): Promise<JournalRecord<'kernel:limit'>[]> {
  return (await records())
    .filter((record) => record.name === 'kernel:limit')
    .filter(({ kernel }) => kernel === target.id);
}

type Cap = JournalRecord<'kernel:limit'> & { data: { cpu: number } };

async function overloadCap(context: CheckContext): Promise<Cap | undefined> {
  return (await limitsOf(context)).find(({ data }) => data.cpu !== null && data.why === 'overload') as Cap | undefined;
}

export async function throttled(context: CheckContext): Promise<CheckResult> {
  const cap = await eventually(async () => (await overloadCap(context)) ?? null, {
    deadlineMs: CHECK_DEADLINE_MS,
    everyMs: 100,
  });
  return {
    expected: `${context.target.id} held to a share of a core for overload, by a method that enforces it`,
    observed: cap ? `#${cap.seq} ${cap.data.cpu} of a core by ${cap.data.method}` : 'no limit for overload was set',
    ok: cap !== null && cap.data.method !== 'none',
  };
}

/** What the thread really got while the limit was in force and the fault went on. */
export async function heldToShare(context: CheckContext, most: string | number | null): Promise<CheckResult> {
  const { readings, injection } = context;
  const cap = await overloadCap(context);
  if (!cap)
    return { expected: `at most ${most} times its limit`, observed: 'no limit for overload was set', ok: false };
  const { cpu, method } = cap.data;
  const bound = cpu * Number(most);
  const expected = `at most ${percent(bound)} of a core, ${most} times its limit of ${percent(cpu)}`;
  const changed = (await limitsOf(context)).find(({ seq }) => seq > cap.seq);
  const until = Math.min(changed?.monoMs ?? Infinity, injection.orderedMono + injection.lease.durationMs);
  const seen = shareBetween(readings, cap.monoMs + SETTLED_MS, until, MEASURED_MS);
  if (!seen) return { expected, observed: 'the limit was not in force for long enough to be measured', ok: null };
  return {
    expected,
    observed: `${percent(seen.share)} over ${Math.round(seen.overMs)} ms, held by ${method} (#${cap.seq})`,
    ok: seen.share <= bound,
  };
}

export async function limitLifted(context: CheckContext): Promise<CheckResult> {
  const { control, target } = context;
  const cap = await overloadCap(context);
  const expected = `the limit of ${target.id} lifted when the overload is over`;
  if (!cap) return { expected, observed: 'no limit for overload was set', ok: null };
  const lifted = await eventually(
    async () => {
      const record = (await limitsOf(context)).find(({ seq, data }) => seq > cap.seq && data.cpu === null);
      if (!record) return null;
      const { kernels } = await control.request('status', {});
      return kernels.some(({ id, cap: held }) => id === target.id && held === null) ? record : null;
    },
    { deadlineMs: LIFT_DEADLINE_MS, everyMs: 150 },
  );
  return { expected, observed: lifted ? `#${lifted.seq} lifted` : 'it is still in force', ok: lifted !== null };
}

const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`;
