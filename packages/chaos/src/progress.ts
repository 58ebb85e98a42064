import type { RunResult, Verdict, WireError } from '@grace/contracts';
import type { SteadyCheck } from './wave/steady-state.ts';

/** What the runner prints while it runs: one JSON document a line. The journal, not this, is what verdicts rest on. */
export type Progress =
  | { t: 'run'; run: string; seed: number; waves: PlannedWaveView[] }
  | { t: 'wave'; wave: number; severity: string; trials: string[] }
  | { t: 'wave-skip'; wave: number; severity: string; reason: string }
  | { t: 'steady'; wave: number; when: 'before' | 'after'; ok: boolean; checks: SteadyCheck[] }
  | { t: 'trial'; trial: string; scenario: string; variant: string; target: string; phase: TrialPhase }
  | { t: 'effect'; trial: string; proven: boolean; observed: Record<string, unknown> }
  /** What the journal says so far; the verdict of the report is made of the whole journal. */
  | { t: 'verdict'; trial: string; verdict: Verdict; reasons: string[] }
  | { t: 'message'; level: 'info' | 'warn'; text: string }
  | { t: 'end'; exit: RunResult['exit']; totals: RunResult['totals'] }
  | { t: 'error'; error: WireError };

export type TrialPhase = 'preparing' | 'injecting' | 'acting' | 'recovering' | 'checking' | 'ended';

export interface PlannedWaveView {
  n: number;
  severity: string;
  /** Trials of one group run at the same time. */
  groups: { trial: string; scenario: string; variant: string; title: string }[][];
}

export type Report = (progress: Progress) => void;
