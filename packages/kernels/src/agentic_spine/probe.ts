import { randomInt, randomUUID } from 'node:crypto';
import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Governor } from './act/permission.ts';
import { createRunner, type Runner } from './act/runner.ts';
import { takeBack } from './act/undo.ts';
import { type Book, PROBE_PREFIX } from './goals/book.ts';
import type { Goal } from './goals/goal.ts';
import type { Plan, Step } from './plans/plan.ts';

/** Below the probe's deadline in the manifest. */
const DEADLINE_MS = 4000;

const step = (one: Pick<Step, 'id' | 'call' | 'verify' | 'compensate'>): Step => ({
  ...{ title: one.id, deadlineMs: DEADLINE_MS, repeat: 'idempotent', attempts: 1, delayMs: 0, ...one },
});

/** Puts something into another kernel's keeping and finds it there again. Its namespace is one that memory_fusion forgets by itself. */
const PLAN: Plan = {
  ...{
    id: 'probe',
    title: 'functional probe',
    patterns: [],
    keywords: [],
    when: null,
    inputs: {},
    deadlineMs: DEADLINE_MS,
  },
  steps: [
    step({
      id: 'remember',
      call: {
        kernel: 'memory_fusion',
        verb: 'remember',
        input: { text: '{{input.text}}', namespace: '{{input.namespace}}', source: 'agentic_spine' },
      },
      verify: { call: null, expect: 'answer.known == false', withinMs: 1000 },
      compensate: { kernel: 'memory_fusion', verb: 'forget', input: { id: '{{steps.remember.answer.id}}' } },
    }),
    step({
      id: 'recall',
      call: {
        kernel: 'memory_fusion',
        verb: 'recall',
        input: { query: '{{input.text}}', namespace: '{{input.namespace}}' },
      },
      verify: {
        call: null,
        expect: 'size(answer) == 1 && answer[0].id == steps.remember.answer.id && answer[0].text == input.text',
        withinMs: 1000,
      },
      compensate: null,
    }),
  ],
  post: { call: null, expect: 'steps.recall.answer[0].text.contains(string(input.number))', withinMs: 1000 },
};

/** The whole way once, for real: two verbs of another kernel, permitted, journaled, verified; then taken back. */
export function createProbe(
  ctx: KernelContext,
  book: Book,
  governor: Governor,
  known: () => Record<string, number>,
): { probe: () => Promise<Record<string, unknown>>; runner: Runner } {
  // Asked as a question only: every decision is kept for ever, and a probe comes every few seconds.
  const asking = { ...governor, request: governor.simulate, decide: governor.simulate };
  const runner = createRunner({ ctx, book, governor: asking, herald: { note() {}, tell() {} }, lookMs: DEADLINE_MS });

  const probe = async (): Promise<Record<string, unknown>> => {
    const goal = probeGoal(ctx);
    book.open(goal);
    try {
      runner.go(goal.id);
      await runner.settled(goal.id, DEADLINE_MS);
      const end = book.get(goal.id);
      const entries = book.entries(goal.id);
      const isRefused = /^(FORBIDDEN|APPROVAL_NEEDED): /.test(end.reason) && entries.length === 0;
      // The policies of this system do not let it act in its own name: stopping before the first call is its job then.
      if (end.state === 'failed' && isRefused) return { reached: false, reason: end.reason, ...known() };
      if (end.state !== 'done')
        fail(`a goal of two steps is ${end.state} after ${end.at}: ${end.reason || 'no reason'}`);
      const { back, failed } = await takeBack(ctx, book, end);
      if (back.join() !== 'remember') fail(`its step was not taken back: ${failed.join('; ') || 'nothing was tried'}`);
      return { reached: true, steps: entries.length, takenBack: back.length, ...known() };
    } finally {
      runner.forget(goal.id);
      book.drop(goal.id);
    }
  };
  return { probe, runner };
}

function fail(what: string): never {
  throw new GraceError('INTERNAL', `agentic_spine does not do its job: ${what}`);
}

function probeGoal(ctx: KernelContext): Goal {
  const run = randomUUID();
  const number = randomInt(1e9, 1e12);
  const createdMs = Math.floor(ctx.clock.wallMs());
  const missing = { available: false as const, why: 'a probe looks at nothing' };
  return {
    ...{ id: `${PROBE_PREFIX}${run}`, key: null, principal: ctx.id, text: 'probe', mode: 'run', plan: PLAN },
    input: {
      text: `The spine is probed with the number ${number}.`,
      namespace: `probe/agentic_spine_${run}`,
      number: `${number}`,
    },
    ...{ event: null, context: { kernels: missing, incidents: missing } },
    choice: { score: 1, why: 'it was named', alternatives: [], method: 'named' },
    ...{ correlation: `${PROBE_PREFIX}${run}`, createdMs, deadlineMs: createdMs + DEADLINE_MS },
    ...{ state: 'planned', reason: '', at: 0, waiting: null, granted: {}, ending: null, endedMs: null },
  };
}
