import type { StatusDocument } from '@grace/contracts';
import { eventually } from '../observe/wait.ts';
import { CHECK_DEADLINE_MS, type CheckContext, type CheckResult } from './context.ts';

const poll = { deadlineMs: CHECK_DEADLINE_MS, everyMs: 100 };

/** Counted, not timed: the door must close after a few denials, whatever somebody else does about it a second later. */
export async function muted(
  { records, target, injection }: CheckContext,
  most: string | number | null,
): Promise<CheckResult> {
  const { denied = 0 } = injection.counts();
  const record = await eventually(
    async () =>
      (await records()).find((record) => record.name === 'bus:muted' && record.data.principal === target.id) ?? null,
    poll,
  );
  return {
    expected: `${target.id} muted after at most ${most} denials`,
    observed: record ? `#${record.seq} bus:muted, ${denied} messages denied one by one` : 'no record of a mute',
    ok: record !== null && denied <= Number(most),
  };
}

/** The broker's count may be reported a moment later than the sender has its answers. */
export async function deniedCounted({ control, before, injection }: CheckContext): Promise<CheckResult> {
  const { denied = 0 } = injection.counts();
  const counted = async (): Promise<number> => (await control.request('status', {})).bus.denied - before.bus.denied;
  const enough = await eventually(async () => {
    const count = await counted();
    return count >= denied ? count : null;
  }, poll);
  const observed = enough ?? (await counted());
  return {
    expected: `at least ${denied} denials counted by the broker`,
    observed: String(observed),
    ok: denied === 0 ? null : observed >= denied,
  };
}

export function nothingAccepted({ injection }: CheckContext): CheckResult {
  const { accepted, sent = 0, denied = 0, muted = 0, other = 0 } = injection.counts();
  return {
    expected: '0 accepted',
    observed: `${accepted ?? 'unknown'} accepted of ${sent} sent: ${denied} denied, ${muted} muted, ${other} other`,
    ok: accepted === undefined || sent === 0 ? null : accepted === 0,
  };
}

export async function busConserves({ control }: CheckContext): Promise<CheckResult> {
  const balanced = ({ bus }: StatusDocument): boolean =>
    bus.accepted === bus.handled + bus.rejected + bus.expired + bus.deadLettered + bus.waiting;
  const sum = ({ bus }: StatusDocument): string =>
    `${bus.accepted} = ${bus.handled} + ${bus.rejected} + ${bus.expired} + ${bus.deadLettered} + ${bus.waiting}`;
  const status = await control.request('status', {});
  return {
    expected: 'accepted = handled + rejected + expired + dead-lettered + waiting',
    observed: sum(status),
    ok: status.bus.accepted === 0 ? null : balanced(status),
  };
}
