import type { Happening } from '../happenings/happening.ts';

/** What kinds of promises are looked at. */
export const SOURCES = {
  start: 'became ready when it was started, or did not',
  life: 'a life that ended because somebody asked for it, or by a fault of its own',
  probe: 'did its job when it was asked to, or did not',
  repair: 'a playbook that healed, or did not',
  round: 'its last functional probe, as the supervisor had it when it was asked from time to time',
  contract: 'what verification_framework found after a verb: the promise was kept, or broken',
} as const;
export type Source = keyof typeof SOURCES;

/** One promise that was seen kept or broken. */
export interface Observation {
  component: string;
  source: Source;
  kept: boolean;
  /** Journal record, where there is one. */
  record: number | null;
  correlation: string | null;
  atMs: number;
}

/** Causes, in the words of the supervisor, for which a running kernel went down. */
const OWN_FAULT: ReadonlySet<string> = new Set(['crash', 'ended', 'hung', 'probe', 'memory', 'incurable']);
const AS_ASKED: ReadonlySet<string> = new Set(['manual', 'isolate', 'pause']);
const NOT_ITS_FAULT: ReadonlySet<string> = new Set(['cell', 'needs', 'manual', 'pause', 'isolate']);

/** What a journal record says about a promise; undefined: nothing. */
export function observe({ seq, atMs, record, correlation }: Happening): Observation | undefined {
  const made = (component: string | undefined, source: Source, kept: boolean): Observation | undefined =>
    component === undefined ? undefined : { component, source, kept, record: seq, correlation, atMs };
  switch (record.name) {
    case 'kernel:ready':
      return made(record.kernel, 'start', true);
    case 'kernel:state': {
      const { from, to, cause = '', error } = record.data;
      if (from === 'running' && to !== 'running') {
        if (OWN_FAULT.has(cause)) return made(record.kernel, 'life', false);
        return AS_ASKED.has(cause) ? made(record.kernel, 'life', true) : undefined;
      }
      const wasStarting = from === 'starting' || from === 'probing';
      // A start that was called off, or went down with its cell, is no broken promise.
      const isBroken = wasStarting && error !== undefined && !NOT_ITS_FAULT.has(cause);
      return isBroken ? made(record.kernel, 'start', false) : undefined;
    }
    case 'kernel:probe':
      return made(record.kernel, 'probe', record.data.ok);
    case 'playbook:end': {
      const { outcome } = record.data;
      if (outcome === 'refused' || outcome === 'dry run') return undefined;
      return made('self_healing', 'repair', outcome === 'healed');
    }
    default:
      return undefined;
  }
}
