import { setTimeout } from 'node:timers/promises';
import { type Clock, type PlaybookOutcome, toWireError } from '@grace/contracts';
import type { Facts } from '../playbook/facts.ts';
import type { Action, Playbook } from '../playbook/types.ts';
import { advance, beginRun } from './machine.ts';
import type { RunCommand, RunEvent, StepReport } from './state.ts';

/** The world a run acts on. Each of these keeps its deadline itself. */
export interface RunWorld {
  observe(): Promise<Facts>;
  /** Throws when the action failed. */
  act(action: Action, deadlineMs: number): Promise<{ detail: string; result: unknown }>;
}

export interface RunEnd {
  outcome: PlaybookOutcome;
  detail: string;
  steps: StepReport[];
  ms: number;
}

/** Drives one run of a playbook to its end. Never throws: whatever goes wrong is part of the outcome. */
export async function drive(options: {
  id: string;
  playbook: Playbook;
  target: string;
  world: RunWorld;
  clock: Clock;
  signal: AbortSignal;
  onStep?: (report: StepReport) => void;
}): Promise<RunEnd> {
  const { clock, signal, world } = options;
  const startedMono = clock.monoMs();
  const steps: StepReport[] = [];
  let { state, command } = beginRun(options.id, options.playbook, options.target, startedMono);
  while (command.type !== 'end') {
    const todo = command;
    const event = await unlessStopped(signal, () => answer(world, todo, signal));
    const next = advance(state, event, clock.monoMs());
    for (const report of next.reports) {
      steps.push(report);
      options.onStep?.(report);
    }
    ({ state, command } = next);
  }
  return { outcome: command.outcome, detail: command.detail, steps, ms: clock.monoMs() - startedMono };
}

async function answer(
  world: RunWorld,
  command: Exclude<RunCommand, { type: 'end' }>,
  signal: AbortSignal,
): Promise<RunEvent> {
  switch (command.type) {
    case 'wait':
      await setTimeout(command.ms, undefined, { signal });
      return { type: 'waited' };
    case 'observe':
      return { type: 'observed', facts: await world.observe() };
    case 'act':
      return act(world, command.action, command.deadlineMs);
  }
}

async function act(world: RunWorld, action: Action, deadlineMs: number): Promise<RunEvent> {
  try {
    return { type: 'acted', ok: true, ...(await world.act(action, deadlineMs)) };
  } catch (error) {
    const { code, message } = toWireError(error);
    return { type: 'acted', ok: false, detail: `${code}: ${message}`, result: null };
  }
}

/** A run that is stopped does not wait for what it has begun: that has a deadline of its own, and its answer is dropped. */
function unlessStopped(signal: AbortSignal, work: () => Promise<RunEvent>): Promise<RunEvent> {
  const stop: RunEvent = { type: 'stop', why: 'interrupted: self_healing was asked to end' };
  if (signal.aborted) return Promise.resolve(stop);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => resolve(stop);
    signal.addEventListener('abort', onAbort, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}
