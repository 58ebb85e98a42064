import { TUNABLE } from '@grace/contracts';
import type { Measure } from '../judge/series.ts';

export const KNOBS = ['probe_interval', 'hung_after', 'backoff_max', 'pressure_fall_after'] as const;
export type KnobId = (typeof KNOBS)[number];

/** Something of the running system that may be set to another value, within bounds, and back. Plain data; who turns it: knob-access.ts. */
export interface Knob {
  id: KnobId;
  title: string;
  unit: 'ms' | 'samples';
  min: number;
  max: number;
  /** What an experiment with it may be judged by. */
  measures: readonly Measure[];
  /** Who holds the value: the supervisor, for one kernel; or infrastructure_manager, for one resource. */
  holder: 'supervisor' | 'infrastructure_manager';
}

const TABLE: Record<KnobId, Omit<Knob, 'id'>> = {
  probe_interval: {
    ...{ title: 'how often a kernel is asked to do its job once', unit: 'ms', ...TUNABLE['probe.intervalMs'] },
    ...{ measures: ['detect'], holder: 'supervisor' },
  },
  hung_after: {
    ...{ title: 'how long an event loop may be held before its kernel counts as hung', unit: 'ms' },
    ...{ ...TUNABLE.hungAfterMs, measures: ['detect', 'false_restarts'], holder: 'supervisor' },
  },
  backoff_max: {
    ...{ title: 'the longest wait before a restart', unit: 'ms', ...TUNABLE['restart.backoffMaxMs'] },
    ...{ measures: ['recover'], holder: 'supervisor' },
  },
  pressure_fall_after: {
    ...{ title: 'samples in a row before a level of pressure is left', unit: 'samples', min: 2, max: 12 },
    ...{ measures: ['pressure_changes'], holder: 'infrastructure_manager' },
  },
};

export function knobOf(id: KnobId): Knob {
  return { id, ...TABLE[id] };
}

/** One step, within the bounds and whole; the same value when there is no further step. */
export function step(knob: Knob, from: number, factor: number): number {
  const next = Math.round(from * factor);
  if (from < knob.min || from > knob.max) return from;
  return Math.min(knob.max, Math.max(knob.min, next));
}
