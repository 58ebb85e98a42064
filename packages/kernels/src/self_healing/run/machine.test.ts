import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Facts } from '../playbook/facts.ts';
import type { Action, Clause, Playbook, Step } from '../playbook/types.ts';
import { advance, beginRun } from './machine.ts';
import type { RunCommand, StepReport } from './state.ts';

const fact = (name: string, expected: unknown): Clause => ({ fact: `world.${name}`, operator: 'is', value: expected });
const verb = (name: string): Action => ({ kind: 'verb', kernel: 'any', verb: name, input: {} });

function step(id: string, given: Partial<Step> = {}): Step {
  return {
    id,
    when: [],
    action: verb(id),
    deadlineMs: 500,
    attempts: 1,
    delayMs: 50,
    verify: [],
    onFailure: 'stop',
    compensation: null,
    ...given,
  };
}

function playbook(steps: Step[], given: Partial<Playbook> = {}): Playbook {
  return {
    id: 'example',
    title: 'An example',
    trigger: [],
    conditions: [],
    guards: { budget: 1, windowMs: 1, coolDownMs: 0 },
    steps,
    worse: [],
    postCondition: { clauses: [fact('well', true)], holdMs: 1000, withinMs: 3000 },
    ...given,
  };
}

interface World {
  /** What is observed at this time, ms after the start. */
  facts: (atMs: number, acted: readonly string[]) => Record<string, unknown>;
  /** Whether the action succeeds. */
  act?: (name: string, attempt: number) => boolean;
  actMs?: number;
}

/** Drives a run on a fake clock. */
function simulate(given: Playbook, world: World) {
  let now = 0;
  const acted: string[] = [];
  const steps: StepReport[] = [];
  let last = beginRun('run', given, 'target', now);
  for (let round = 0; round < 10_000; round++) {
    steps.push(...last.reports);
    const command: RunCommand = last.command;
    if (command.type === 'end') return { ...command, acted, steps, ms: now };
    if (command.type === 'wait') {
      assert.ok(command.ms > 0 || given.steps.some(({ delayMs }) => delayMs === 0), 'a wait takes time');
      now += command.ms;
      last = advance(last.state, { type: 'waited' }, now);
    } else if (command.type === 'observe') {
      now += 1;
      const facts: Facts = { world: world.facts(now, acted) };
      last = advance(last.state, { type: 'observed', facts }, now);
    } else {
      assert.equal(command.action.kind, 'verb');
      const name = command.action.kind === 'verb' ? command.action.verb : '';
      acted.push(name);
      now += world.actMs ?? 1;
      const ok = world.act?.(name, acted.filter((one) => one === name).length) ?? true;
      last = advance(last.state, { type: 'acted', ok, detail: ok ? 'done' : 'broken', result: null }, now);
    }
  }
  throw new Error('the run does not end');
}

describe('a run of a playbook', () => {
  test('heals only when the post-condition held for its whole time without a break', () => {
    const flicker = simulate(playbook([step('a')]), { facts: (at) => ({ well: at < 900 || at > 1500 }) });
    assert.equal(flicker.outcome, 'healed');
    assert.ok(flicker.ms >= 2500, `held from 1500 on, ended at ${flicker.ms}`);
  });

  test('has not healed when the post-condition never holds', () => {
    const { outcome, detail } = simulate(playbook([step('a')]), { facts: () => ({ well: false }) });
    assert.equal(outcome, 'not healed');
    assert.match(detail, /world\.well is true \(observed false\)/);
  });

  test('has not healed when nothing can be observed', () => {
    assert.equal(simulate(playbook([step('a')]), { facts: () => ({}) }).outcome, 'not healed');
  });

  test('is refused when its conditions are false or unknown, and then does nothing', () => {
    for (const facts of [{ ready: false }, {}]) {
      const run = simulate(playbook([step('a')], { conditions: [fact('ready', true)] }), { facts: () => facts });
      assert.equal(run.outcome, 'refused');
      assert.deepEqual(run.acted, []);
    }
  });

  test('tries a step again as often as it says, and no more', () => {
    const given = playbook([step('a', { attempts: 3 })]);
    const healed = simulate(given, { facts: () => ({ well: true }), act: (_, attempt) => attempt === 3 });
    assert.deepEqual(healed.acted, ['a', 'a', 'a']);
    assert.equal(healed.outcome, 'healed');
    const failed = simulate(given, { facts: () => ({ well: true }), act: () => false });
    assert.deepEqual(failed.acted, ['a', 'a', 'a']);
    assert.equal(failed.outcome, 'not healed');
  });

  test('does not believe an action that says it worked: its verification must become true in time', () => {
    const given = playbook([step('a', { verify: [fact('changed', true)] })]);
    assert.equal(simulate(given, { facts: () => ({ well: true, changed: false }) }).outcome, 'not healed');
    assert.equal(simulate(given, { facts: (at) => ({ well: true, changed: at > 300 }) }).outcome, 'healed');
    assert.equal(simulate(given, { facts: (at) => ({ well: true, changed: at > 800 }) }).outcome, 'not healed');
  });

  test('skips a step whose conditions are not all true', () => {
    const given = playbook([step('a', { when: [fact('needed', true)] }), step('b')]);
    for (const needed of [false, undefined]) {
      assert.deepEqual(simulate(given, { facts: () => ({ well: true, needed }) }).acted, ['b']);
    }
  });

  test('compensates what it did, newest first, when a later step fails', () => {
    const given = playbook([
      step('a', { compensation: verb('undo_a') }),
      step('b', { compensation: verb('undo_b'), when: [fact('never', true)] }),
      step('c', { compensation: verb('undo_c'), verify: [fact('never', true)] }),
      step('d'),
    ]);
    const run = simulate(given, { facts: () => ({ well: true, never: false }) });
    assert.deepEqual(run.acted, ['a', 'c', 'undo_c', 'undo_a']);
    assert.equal(run.outcome, 'not healed');
  });

  test('says "made worse" and compensates as soon as the signs of it are there', () => {
    const given = playbook([step('a', { compensation: verb('undo_a') })], { worse: [fact('harm', true)] });
    const run = simulate(given, { facts: (at) => ({ well: true, harm: at > 400 }) });
    assert.equal(run.outcome, 'made worse');
    assert.deepEqual(run.acted, ['a', 'undo_a']);
    assert.ok(run.ms < 1000, 'before the post-condition could hold');
  });

  test('a compensation that fails is told', () => {
    const given = playbook([step('a', { compensation: verb('undo_a') }), step('b')]);
    const run = simulate(given, { facts: () => ({ well: true }), act: (name) => name === 'a' });
    assert.match(run.detail, /could not be compensated/);
  });

  test('a wait ends as soon as its clauses are true, and fails at its deadline', () => {
    const wait = step('a', { action: { kind: 'wait_until', clauses: [fact('there', true)] }, deadlineMs: 2000 });
    const soon = simulate(playbook([wait]), { facts: (at) => ({ well: true, there: at > 300 }) });
    assert.equal(soon.outcome, 'healed');
    assert.ok(soon.steps[0]!.ms < 500);
    const never = simulate(playbook([wait]), { facts: () => ({ well: true, there: false }) });
    assert.equal(never.outcome, 'not healed');
  });

  test('stops at once when asked to, as not healed', () => {
    const { state } = beginRun('run', playbook([step('a')]), 'target', 0);
    const { command } = advance(state, { type: 'stop', why: 'interrupted' }, 1);
    assert.deepEqual(command, { type: 'end', outcome: 'not healed', detail: 'interrupted' });
  });

  test('whatever the world does, a run ends in bounded time, heals only what held, and undoes only what it did', () => {
    const clauses = fc.subarray([fact('p', true), fact('q', true)]);
    const anyStep = (index: number): fc.Arbitrary<Step> =>
      fc
        .record({
          when: clauses,
          verify: clauses,
          attempts: fc.integer({ min: 1, max: 3 }),
          onFailure: fc.constantFrom('stop' as const, 'continue' as const),
          isWait: fc.boolean(),
          isUndone: fc.boolean(),
        })
        .map(({ isWait, isUndone, ...given }) =>
          step(`s${index}`, {
            ...given,
            ...(isWait ? { action: { kind: 'wait_until', clauses: [fact('p', true)] } } : {}),
            compensation: isUndone ? verb(`undo_s${index}`) : null,
          }),
        );
    const steps = fc
      .integer({ min: 1, max: 4 })
      .chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => anyStep(i))));
    const schedule = fc.array(fc.record({ p: fc.boolean(), q: fc.boolean(), well: fc.boolean(), harm: fc.boolean() }), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(
        steps,
        schedule,
        fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
        fc.boolean(),
        (given, moods, luck, judged) => {
          const at = (ms: number): Record<string, unknown> => moods[Math.floor(ms / 400) % moods.length]!;
          let acts = 0;
          const wells: [number, boolean][] = [];
          const run = simulate(playbook(given, judged ? { worse: [fact('harm', true)] } : {}), {
            facts(ms) {
              wells.push([ms, at(ms)['well'] === true]);
              return at(ms);
            },
            act: () => luck[acts++ % luck.length]!,
          });
          const bound =
            given.reduce((sum, one) => sum + one.attempts * (one.deadlineMs + one.delayMs + 200), 0) +
            3000 +
            1000 +
            500;
          assert.ok(run.ms <= bound, `ended after ${run.ms} of at most ${bound}`);
          if (run.outcome === 'healed') {
            const tail = wells.filter(([ms]) => ms >= run.ms - 1000);
            assert.ok(
              tail.every(([, well]) => well),
              'well at every look of the last second',
            );
          }
          const undone = run.acted.filter((name) => name.startsWith('undo_'));
          assert.equal(new Set(undone).size, undone.length, 'each at most once');
          for (const name of undone) assert.ok(run.acted.includes(name.slice('undo_'.length)));
          if (run.outcome === 'healed' || run.outcome === 'refused') assert.deepEqual(undone, []);
          assert.ok(judged || run.outcome !== 'made worse');
        },
      ),
      { numRuns: 500 },
    );
  });
});
