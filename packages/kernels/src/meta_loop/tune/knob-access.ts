import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { KnobId } from '../propose/knob.ts';

/** Reads and turns knobs of the running system, through those who hold them; they check the bounds once more. */
export interface KnobAccess {
  /** @throws GraceError what the holder answers, or that it did not */
  read(knob: KnobId, target: string): Promise<number>;
  write(knob: KnobId, target: string, value: number, why: string): Promise<void>;
}

const DEADLINE_MS = 3000;

/** As the supervisor calls them (`TUNABLE` in contracts). */
const OF_SUPERVISOR = {
  probe_interval: 'probe.intervalMs',
  hung_after: 'hungAfterMs',
  backoff_max: 'restart.backoffMaxMs',
} as const;

export function createKnobAccess(ctx: KernelContext): KnobAccess {
  const tune = async (knob: keyof typeof OF_SUPERVISOR, kernel: string, more: object): Promise<number> => {
    const answer = await ctx.supervisor.command('tune', { kernel, knob: OF_SUPERVISOR[knob], ...more }, DEADLINE_MS);
    return number((answer as { value?: unknown }).value, knob, kernel);
  };
  const thresholds = async (input: object): Promise<Record<string, { fallAfter?: unknown }>> =>
    (await ctx.call('infrastructure_manager', 'thresholds', input, { deadlineMs: DEADLINE_MS })) as Record<
      string,
      { fallAfter?: unknown }
    >;
  return {
    async read(knob, target) {
      if (knob !== 'pressure_fall_after') return await tune(knob, target, {});
      return number((await thresholds({}))[target]?.fallAfter, knob, target);
    },
    async write(knob, target, value, why) {
      if (knob === 'pressure_fall_after') await thresholds({ set: { [target]: { fallAfter: value } } });
      else await tune(knob, target, { value, reason: why.slice(0, 300) });
    },
  };
}

function number(value: unknown, knob: string, target: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new GraceError('NOT_FOUND', `${knob} of ${target} is not known to who holds it`, { knob, target });
}
