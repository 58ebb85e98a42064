import type { JournalRecord } from '@grace/contracts';
import { latenessExcused } from '../verdict/withheld.ts';
import type { CheckContext, CheckResult } from './context.ts';

/** The system saw the memory of the target run short, before the target was restarted for it or died of it. */
export async function pressureRecorded({ records, target }: CheckContext): Promise<CheckResult> {
  const all = await records();
  const pressure = all.find(
    (record): record is JournalRecord<'kernel:pressure'> =>
      record.name === 'kernel:pressure' && record.kernel === target.id,
  );
  const restart = all.find((record) => record.name === 'kernel:restart' && record.kernel === target.id);
  const inTime = pressure !== undefined && (restart === undefined || pressure.seq < restart.seq);
  return {
    expected: `memory pressure of ${target.id} recorded before any restart`,
    observed: pressure
      ? `#${pressure.seq} ${describe(pressure)}${restart ? `, restart #${restart.seq}` : ''}`
      : 'no pressure was recorded',
    ok: inTime,
  };
}

function describe({ data: { of, bytes, ratio, bytesPerSecond } }: JournalRecord<'kernel:pressure'>): string {
  const rate = bytesPerSecond === null ? '' : `, growing ${Math.round(bytesPerSecond / 1e6)} MB/s`;
  return `${of} ${Math.round(bytes / 1e6)} MB, ${Math.round(ratio * 100)} % of its limit${rate}`;
}

/** From the first sign of pressure to the first answered probe of the next incarnation. */
export async function readyAfterPressure(
  { records, target, withheld }: CheckContext,
  most: string | number | null,
): Promise<CheckResult> {
  const expected = `${target.id} ready again at most ${most} ms after the first pressure`;
  const ofTarget = (await records()).filter(({ kernel }) => kernel === target.id);
  const pressure = ofTarget.find(({ name }) => name === 'kernel:pressure');
  if (!pressure) return { expected, observed: 'no pressure was recorded', ok: false };
  const ready = ofTarget.find(({ name, seq }) => name === 'kernel:ready' && seq > pressure.seq);
  if (!ready)
    return { expected, observed: `#${pressure.seq} pressure, and it was not restarted after that`, ok: false };
  const tookMs = Math.round(ready.monoMs - pressure.monoMs);
  const ok = tookMs <= Number(most);
  // Both instants are the supervisor's: a late runner changes neither.
  const system = withheld().filter(({ of }) => of !== 'runner');
  const excuse = ok ? null : latenessExcused(system, pressure.monoMs, ready.monoMs, Number(most));
  const observed = `${tookMs} ms (#${pressure.seq} to #${ready.seq})`;
  return excuse === null ? { expected, observed, ok } : { expected, observed: `${observed}; ${excuse}`, ok: null };
}

/** How much its process grew at most: what everybody else on this machine had to do without. */
export function grewAtMost({ readings, target }: CheckContext, most: string | number | null): CheckResult {
  // A principal lives outside: what it floods is the broker.
  const whose = target.kind === 'principal' ? 'message_bus' : target.id;
  const expected = `the process of ${whose} grew by at most ${most} MB`;
  const sizes = readings.map(({ rssBytes }) => rssBytes).filter((bytes) => bytes !== null);
  if (sizes.length < 2) return { expected, observed: 'the process could not be read', ok: null };
  const grewMB = Math.round((Math.max(...sizes) - sizes[0]!) / 1e6);
  return { expected, observed: `${grewMB} MB`, ok: grewMB <= Number(most) };
}
