import type { PlaybookOutcome } from '@grace/contracts';
import { all, evaluate, fill, type Scope } from '../playbook/clause.ts';
import type { Action, Clause, Playbook, Step } from '../playbook/types.ts';
import type { Advance, Phase, RunEvent, RunState, StepResult } from './state.ts';

/** How often clauses are looked at again while something is awaited, ms. */
const POLL_MS = 100;

export function beginRun(id: string, playbook: Playbook, target: string, nowMono: number): Advance {
  const state: RunState = {
    id,
    playbook,
    target,
    startedMono: nowMono,
    facts: {},
    before: {},
    results: {},
    acted: [],
    phase: { at: 'conditions' },
  };
  return { state, command: { type: 'observe' }, reports: [] };
}

/** The whole behaviour of a run: pure, so that a fake clock can drive it through any schedule. */
export function advance(before: RunState, event: RunEvent, nowMono: number): Advance {
  const { phase } = before;
  if (event.type === 'stop') return end(before, 'not healed', event.why);
  const state = event.type === 'observed' ? { ...before, facts: event.facts } : before;
  if (event.type === 'observed' && phase.at !== 'undo' && phase.at !== 'conditions' && isWorse(state)) {
    const signs = state.playbook.worse.map((clause) => evaluate(clause, scopeOf(state)).text);
    return fail(state, `made worse: ${signs.join('; ')}`);
  }
  switch (phase.at) {
    case 'conditions': {
      if (event.type !== 'observed') break;
      const opened = { ...state, before: event.facts };
      const { truth, unmet } = all(state.playbook.conditions, scopeOf(opened));
      if (truth !== true) return end(opened, 'refused', `conditions do not hold: ${unmet.join('; ')}`);
      return enterStep(opened, 0, nowMono);
    }
    case 'when': {
      if (event.type !== 'observed') break;
      const step = stepAt(state, phase.step);
      const { truth, unmet } = all(step.when, scopeOf(state));
      if (truth === true) return act(state, phase.step, 1, phase.sinceMono, nowMono);
      return close(
        state,
        phase,
        { ok: false, skipped: true, attempts: 0, detail: `not needed: ${unmet.join('; ')}`, result: null },
        nowMono,
      );
    }
    case 'act': {
      if (event.type !== 'acted') break;
      if (!event.ok) return attemptFailed(state, phase, event.detail, event.result, nowMono);
      const acted = { ...state, acted: state.acted.includes(phase.step) ? state.acted : [...state.acted, phase.step] };
      const verify = { ...phase, at: 'verify' as const, result: event.result, detail: event.detail };
      if (clausesOf(stepAt(state, phase.step)).length === 0) {
        return close(
          acted,
          phase,
          { ok: true, skipped: false, attempts: phase.attempt, detail: event.detail, result: event.result },
          nowMono,
        );
      }
      return { state: { ...acted, phase: verify }, command: { type: 'observe' }, reports: [] };
    }
    case 'verify': {
      if (event.type === 'waited') return { state, command: { type: 'observe' }, reports: [] };
      if (event.type !== 'observed') break;
      const step = stepAt(state, phase.step);
      const trial: StepResult = {
        ok: true,
        skipped: false,
        attempts: phase.attempt,
        ms: nowMono - phase.sinceMono,
        detail: phase.detail,
        result: phase.result,
      };
      const scope = scopeOf({ ...state, results: { ...state.results, [step.id]: trial } });
      const { truth, unmet } = all(clausesOf(step), scope);
      if (truth === true) return close(state, phase, { ...trial, detail: phase.detail || 'verified' }, nowMono);
      if (nowMono >= phase.untilMono) {
        return attemptFailed(state, phase, `not verified in time: ${unmet.join('; ')}`, phase.result, nowMono);
      }
      return { state, command: { type: 'wait', ms: Math.min(POLL_MS, phase.untilMono - nowMono) }, reports: [] };
    }
    case 'pause': {
      if (event.type !== 'waited') break;
      return act(state, phase.step, phase.attempt + 1, phase.sinceMono, nowMono);
    }
    case 'hold': {
      if (event.type === 'waited') return { state, command: { type: 'observe' }, reports: [] };
      if (event.type !== 'observed') break;
      return hold(state, phase, nowMono);
    }
    case 'undo': {
      if (event.type !== 'acted') break;
      const step = stepAt(state, phase.step!);
      const detail = `${phase.detail}; ${step.id} ${event.ok ? 'compensated' : `could not be compensated: ${event.detail}`}`;
      const report = { step: `${step.id} (compensation)`, ok: event.ok, ms: 0, detail: event.detail };
      const next = undo({ ...state, phase: { ...phase, detail } });
      return { ...next, reports: [report, ...next.reports] };
    }
    case 'end':
      break;
  }
  throw new Error(`a run in phase ${phase.at} got the event ${event.type}`);
}

/** What clauses and placeholders of a run may see. */
export function scopeOf(state: Pick<RunState, 'id' | 'target' | 'facts' | 'before' | 'results'>): Scope {
  return { ...state.facts, before: state.before, steps: state.results, run: { id: state.id, target: state.target } };
}

function enterStep(state: RunState, step: number, nowMono: number): Advance {
  if (step >= state.playbook.steps.length) {
    const untilMono = nowMono + state.playbook.postCondition.withinMs;
    return {
      state: { ...state, phase: { at: 'hold', heldSinceMono: null, untilMono } },
      command: { type: 'observe' },
      reports: [],
    };
  }
  if (stepAt(state, step).when.length === 0) return act(state, step, 1, nowMono, nowMono);
  return {
    state: { ...state, phase: { at: 'when', step, sinceMono: nowMono } },
    command: { type: 'observe' },
    reports: [],
  };
}

function act(state: RunState, index: number, attempt: number, sinceMono: number, nowMono: number): Advance {
  const step = stepAt(state, index);
  const place = { step: index, attempt, sinceMono, untilMono: nowMono + step.deadlineMs };
  if (step.action.kind === 'wait_until') {
    return {
      state: { ...state, phase: { at: 'verify', ...place, result: null, detail: '' } },
      command: { type: 'observe' },
      reports: [],
    };
  }
  const next: RunState = { ...state, phase: { at: 'act', ...place } };
  try {
    const action = fill(step.action, scopeOf(state)) as Action;
    return { state: next, command: { type: 'act', action, deadlineMs: step.deadlineMs }, reports: [] };
  } catch (error) {
    return attemptFailed(next, place, (error as Error).message, null, nowMono);
  }
}

type Place = { step: number; sinceMono: number };

function attemptFailed(
  state: RunState,
  place: Place & { attempt: number },
  detail: string,
  result: unknown,
  nowMono: number,
): Advance {
  const step = stepAt(state, place.step);
  if (place.attempt < step.attempts) {
    const phase: Phase = { at: 'pause', step: place.step, attempt: place.attempt, sinceMono: place.sinceMono };
    return { state: { ...state, phase }, command: { type: 'wait', ms: step.delayMs }, reports: [] };
  }
  return close(state, place, { ok: false, skipped: false, attempts: place.attempt, detail, result }, nowMono);
}

/** Ends a step: on to the next, or to failure. */
function close(state: RunState, place: Place, result: Omit<StepResult, 'ms'>, nowMono: number): Advance {
  const step = stepAt(state, place.step);
  const ms = nowMono - place.sinceMono;
  const closed = { ...state, results: { ...state.results, [step.id]: { ...result, ms } } };
  const isFailure = !result.ok && !result.skipped;
  const next =
    isFailure && step.onFailure === 'stop'
      ? fail(closed, `${step.id}: ${result.detail}`)
      : enterStep(closed, place.step + 1, nowMono);
  const report = { step: step.id, ok: result.ok || result.skipped, ms, detail: result.detail };
  return { ...next, reports: [report, ...next.reports] };
}

function hold(state: RunState, phase: Phase & { at: 'hold' }, nowMono: number): Advance {
  const { clauses, holdMs } = state.playbook.postCondition;
  const { truth, unmet } = all(clauses, scopeOf(state));
  if (truth === true) {
    const heldSinceMono = phase.heldSinceMono ?? nowMono;
    const heldMs = nowMono - heldSinceMono;
    if (heldMs >= holdMs) return end(state, 'healed', `the post-condition held for ${Math.round(heldMs)} ms`);
    return {
      state: { ...state, phase: { ...phase, heldSinceMono } },
      command: { type: 'wait', ms: Math.min(POLL_MS, holdMs - heldMs) },
      reports: [],
    };
  }
  if (nowMono >= phase.untilMono) return fail(state, `the post-condition does not hold: ${unmet.join('; ')}`);
  return {
    state: { ...state, phase: { ...phase, heldSinceMono: null } },
    command: { type: 'wait', ms: Math.min(POLL_MS, phase.untilMono - nowMono) },
    reports: [],
  };
}

function fail(state: RunState, detail: string): Advance {
  const outcome: PlaybookOutcome = isWorse(state) ? 'made worse' : 'not healed';
  const left = [...state.acted].reverse().filter((index) => stepAt(state, index).compensation !== null);
  return undo({ ...state, phase: { at: 'undo', left, outcome, detail, step: null } });
}

function undo(state: RunState): Advance {
  const phase = state.phase as Phase & { at: 'undo' };
  const [index, ...left] = phase.left;
  if (index === undefined) return end(state, phase.outcome, phase.detail);
  const step = stepAt(state, index);
  try {
    const action = fill(step.compensation, scopeOf(state)) as Action;
    return {
      state: { ...state, phase: { ...phase, left, step: index } },
      command: { type: 'act', action, deadlineMs: step.deadlineMs },
      reports: [],
    };
  } catch (error) {
    const detail = `${phase.detail}; ${step.id} could not be compensated: ${(error as Error).message}`;
    return undo({ ...state, phase: { ...phase, left, detail } });
  }
}

function end(state: RunState, outcome: PlaybookOutcome, detail: string): Advance {
  return { state: { ...state, phase: { at: 'end' } }, command: { type: 'end', outcome, detail }, reports: [] };
}

function isWorse(state: RunState): boolean {
  return state.playbook.worse.length > 0 && all(state.playbook.worse, scopeOf(state)).truth === true;
}

function clausesOf(step: Step): readonly Clause[] {
  return step.action.kind === 'wait_until' ? [...step.action.clauses, ...step.verify] : step.verify;
}

function stepAt(state: RunState, index: number): Step {
  return state.playbook.steps[index]!;
}
