import { CONDITIONS, type Condition, MANIFEST_DEFAULTS, SETTINGS_DEFAULTS } from '@grace/contracts';
import { classify, type Judgement, type JudgementContext } from '../../src/judge/classify.ts';
import { windowWith } from '../../src/judge/window.ts';
import { fromRow, type Recording } from './corpus-file.ts';
import { type CorpusState, STATES } from './states.ts';

/** One judged window: what was done to the thread, and what the judge says. */
export interface Judged {
  state: string;
  /** Ms since the state began; negative before. */
  atMs: number;
  /** `settling`: the state has begun, or ended, too short a time ago for the samples to tell. */
  phase: 'before' | 'settling' | 'during' | 'after';
  right: readonly Condition[];
  judgement: Judgement;
  /** The core would restart the kernel now: its loop is held, and a probe has waited long enough without an answer. */
  restarts: boolean;
}

/** As in core/judgement.ts. */
const SUSPICION_MS = 150;

/** Others fill the machine: it was this busy at some time of the last second, ms. */
const CROWDED = 0.8;
const CROWDED_FOR_MS = 1000;

/** Every window of a recording, built as the core builds it. */
export function judgeRecording(recording: Recording): Judged[] {
  const state = STATES[recording.state]!;
  let window: Parameters<typeof classify>[0] = [];
  let crowdedMs = Number.NEGATIVE_INFINITY;
  let cpuMs = 0;
  return recording.rows.map((row) => {
    const { sample, around } = fromRow(row);
    window = windowWith(window, sample);
    const judgement = classify(window, contextOf(state, around));
    const atMs = sample.atMono - recording.beganMs;
    if (around.machineBusy >= CROWDED) crowdedMs = sample.atMono;
    if (atMs < 0) cpuMs = sample.cpuMs ?? 0;
    const settled = atMs >= state.settleMs && (sample.cpuMs ?? 0) - cpuMs >= (state.settleCpuMs ?? 0);
    const phase = phaseOf(recording, state, sample.atMono, settled || !around.alive);
    return {
      state: recording.state,
      atMs,
      phase,
      right: rightIn(state, phase === 'during', sample.atMono - crowdedMs <= CROWDED_FOR_MS),
      judgement,
      restarts: judgement.held && (around.probe.inFlightMs ?? 0) >= SUSPICION_MS,
    };
  });
}

function phaseOf(recording: Recording, state: CorpusState, atMono: number, settled: boolean): Judged['phase'] {
  const { beganMs, endMs } = recording;
  if (atMono < beganMs) return 'before';
  if (endMs !== null && atMono >= endMs) return atMono < endMs + state.settleMs ? 'settling' : 'after';
  return settled ? 'during' : 'settling';
}

/** Before and after a state its thread is at rest. While others fill the machine, a thread that is not to blame may be called starved. */
function rightIn(state: CorpusState, during: boolean, crowded: boolean): readonly Condition[] {
  const right = during ? state.right : (['healthy'] as const);
  if (!crowded || (during && state.culprit)) return right;
  return [...right, ...((during ? state.crowded : undefined) ?? (['starved'] as const))];
}

export function contextOf(
  state: CorpusState,
  around: Pick<JudgementContext, 'agentLagMs' | 'supervisorLagMs' | 'machineBusy' | 'alive' | 'probe'>,
): JudgementContext {
  const { heartbeatMs, lateAfterMs, hungAfterMs, limits } = MANIFEST_DEFAULTS;
  const { heapBytes, externalBytes, messagesPerSecond } = { ...limits, ...defined(state) };
  return {
    heartbeatMs,
    lateAfterMs,
    hungAfterMs,
    limits: { cpu: state.cap ?? null, heapBytes, externalBytes, messagesPerSecond },
    overloadAfterMs: SETTINGS_DEFAULTS.overloadAfterMs,
    ...around,
  };
}

function defined(state: CorpusState): Partial<CorpusState> {
  return Object.fromEntries(Object.entries(state).filter(([, value]) => value !== undefined));
}

/** Windows by state (rows) and by what was said of them (columns): only those that had time to tell. */
export function confusion(judged: readonly Judged[]): Map<string, Map<Condition, number>> {
  const matrix = new Map<string, Map<Condition, number>>();
  const count = (row: string, said: Condition): void => {
    const cells = matrix.get(row) ?? new Map(CONDITIONS.map((condition) => [condition, 0]));
    cells.set(said, cells.get(said)! + 1);
    matrix.set(row, cells);
  };
  for (const { state, phase, judgement } of judged) if (phase === 'during') count(state, judgement.condition);
  return matrix;
}

/** Share of the windows that got a right answer, for each condition that is the best answer of some state. */
export function accuracy(judged: readonly Judged[]): Map<Condition, { windows: number; right: number }> {
  const score = new Map<Condition, { windows: number; right: number }>();
  for (const { phase, right, judgement } of judged) {
    if (phase === 'settling') continue;
    const best = right[0]!;
    const cell = score.get(best) ?? { windows: 0, right: 0 };
    cell.windows++;
    if (right.includes(judgement.condition)) cell.right++;
    score.set(best, cell);
  }
  return score;
}

/** Windows in which a thread that is not to blame would have been restarted, or was said to be stuck. */
export function falseAccusations(judged: readonly Judged[]): Judged[] {
  return judged.filter(({ state, phase, judgement, restarts }) => {
    const innocent = !STATES[state]!.culprit || phase === 'before';
    return innocent && (restarts || judgement.held || judgement.condition === 'dead');
  });
}
