import type { PlaybookOutcome } from '@grace/contracts';

/** How a playbook ended. The last two say nothing of what it can do, and count for nothing. */
export const ENDS = ['healed', 'not_healed', 'made_worse', 'refused', 'interrupted'] as const;
export type End = (typeof ENDS)[number];

/** One run of a playbook, as far as it is known. */
export interface Outcome {
  /** The same run has the same key, whoever tells of it. */
  key: string;
  playbook: string;
  /** What it was run against. Null: as its incident says, see `incident`. */
  signature: string | null;
  incident: string | null;
  end: End;
  tookMs: number;
  /** Wall time, ms, of its end. */
  atMs: number;
  /** Who told of it. */
  by: string;
}

/** What somebody calls an outcome is unique among what this principal told. */
export const keyOf = (by: string, name: string): string => `${by} ${name}`;

/** Of a run of self_healing: in the journal, in its history, and in what it tells itself. */
export const keyOfRun = (run: string): string => keyOf('self_healing', run);

/** What the outcome of a run means here; null: nothing was run. */
export function endOf(outcome: PlaybookOutcome, detail: string): End | null {
  switch (outcome) {
    case 'healed':
      return 'healed';
    // Cut off by a stop or a crash: nobody knows what it would have done.
    case 'not healed':
      return detail.startsWith('interrupted:') ? 'interrupted' : 'not_healed';
    case 'made worse':
      return 'made_worse';
    case 'refused':
      return 'refused';
    case 'dry run':
      return null;
  }
}
