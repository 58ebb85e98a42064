import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { graceError, openBed } from '../../test/bed.ts';
import { defineKernel, type KernelContext, type Verb } from '../kernel.ts';
import { askGovernance, requirePermit } from './ask.ts';

const PERMIT = {
  id: 'dec-1',
  outcome: 'permit',
  policies: ['the_test'],
  reason: 'permitted by the_test',
  version: '1',
};
const QUESTION = { action: 'call_verb', resource: 'librarian.forget' };

interface Heard {
  verb: string;
  input: Record<string, unknown>;
  correlation: string | undefined;
}

/** A kernel that asks, and a governance that answers as the test says; null: there is none. */
async function ask(t: TestContext, answer: ((heard: Heard, times: number) => unknown) | null) {
  const bed = openBed(t);
  const heard: Heard[] = [];
  let ctx: KernelContext | undefined;
  const verb =
    (name: string): Verb =>
    (input, { correlation }) => {
      heard.push({ verb: name, input, correlation });
      return answer!(heard.at(-1)!, heard.length);
    };
  if (answer) {
    const verbs = { request: verb('request'), decide: verb('decide'), simulate: verb('simulate') };
    await bed.host(defineKernel({ id: 'governance', start: () => ({ verbs, probe: () => ({}) }) }));
  }
  await bed.host(
    defineKernel({
      id: 'asker',
      start(given) {
        ctx = given;
        return { verbs: {}, probe: () => ({}) };
      },
    }),
  );
  return { ctx: ctx!, heard };
}

const failing = (code: string): Error => Object.assign(new Error('the test says so'), { code });

describe('a question to governance', () => {
  test('is answered with the decision, and its grounds go on with it', async (t) => {
    const { ctx, heard } = await ask(t, () => PERMIT);
    const decision = await requirePermit(ctx, { ...QUESTION, context: { goal: 'g' } }, { correlation: 'c-1' });
    const { version: _, ...said } = PERMIT;
    assert.deepEqual(decision, { ...said, approval: null });
    assert.deepEqual(heard, [{ verb: 'request', input: { ...QUESTION, context: { goal: 'g' } }, correlation: 'c-1' }]);
  });

  test('says nothing that the verb would refuse', async (t) => {
    const { ctx, heard } = await ask(t, () => PERMIT);
    const question = { ...QUESTION, principal: 'alice', reason: 'x'.repeat(5000) };
    for (const [verb, expiresMs] of [
      ['request', 1],
      ['request', 1e12],
      ['decide', 5000],
      ['simulate', 5000],
    ] as const)
      await askGovernance(ctx, question, { verb, expiresMs });
    await askGovernance(ctx, { ...QUESTION, reason: '' });
    const bare = { ...QUESTION, principal: 'alice' };
    const reason = 'x'.repeat(1000);
    assert.deepEqual(
      heard.map(({ input }) => input),
      [
        { ...bare, reason, expiresMs: 100 },
        { ...bare, reason, expiresMs: 7 * 24 * 3_600_000 },
        { ...bare, reason },
        bare,
        QUESTION,
      ],
    );
  });

  test('that is only a question needs no record', async (t) => {
    const { id: _, ...verdict } = PERMIT;
    const { ctx } = await ask(t, () => ({ ...verdict, simulated: true }));
    assert.equal((await askGovernance(ctx, QUESTION, { verb: 'simulate' })).id, 'simulated');
    await assert.rejects(
      askGovernance(ctx, QUESTION, { verb: 'decide' }),
      graceError('GOVERNANCE_UNREACHABLE', /\.id/),
    );
  });

  test('is asked anew each time: a permit is not kept', async (t) => {
    const { ctx } = await ask(t, (_, times) => (times === 1 ? PERMIT : { ...PERMIT, outcome: 'forbid' }));
    await requirePermit(ctx, QUESTION);
    await assert.rejects(requirePermit(ctx, QUESTION), { code: 'FORBIDDEN' });
  });
});

describe('nothing is permitted', () => {
  const unreachable =
    (cause: string, what = /.*/) =>
    (error: Error & { details: { cause: string } }) =>
      graceError('GOVERNANCE_UNREACHABLE', what)(error) && error.details.cause === cause;

  test('when there is no governance, and the error says what was not done and why', async (t) => {
    const { ctx } = await ask(t, null);
    const question = { ...QUESTION, principal: 'alice' };
    await assert.rejects(requirePermit(ctx, question), {
      code: 'GOVERNANCE_UNREACHABLE',
      message:
        /^governance could not be asked \(BUS_NO_RESPONDERS: .*\), so call_verb librarian\.forget for alice was not done$/,
      details: { ...question, cause: 'BUS_NO_RESPONDERS' },
    });
    await assert.rejects(
      requirePermit(ctx, question, { what: 'forgetting' }),
      unreachable('BUS_NO_RESPONDERS', /, so forgetting was not done$/),
    );
  });

  test('by an answer that comes late', async (t) => {
    let answered: Promise<unknown> | undefined;
    const { ctx } = await ask(t, () => {
      answered = setTimeout(400, PERMIT);
      return answered;
    });
    await assert.rejects(requirePermit(ctx, QUESTION, { deadlineMs: 50, tries: 1 }), unreachable('BUS_DEADLINE'));
    await answered;
  });

  test('by an error, which is told', async (t) => {
    const { ctx, heard } = await ask(t, () => {
      throw failing('KERNEL_NOT_RUNNING');
    });
    await assert.rejects(requirePermit(ctx, QUESTION), unreachable('KERNEL_NOT_RUNNING', /the test says so/));
    assert.equal(heard.length, 2);
  });

  for (const [what, answer] of [
    ['nothing', undefined],
    ['a word', 'permit'],
    ['a list', [PERMIT]],
    ['an outcome that does not exist', { ...PERMIT, outcome: 'permitted' }],
    ['an outcome that every object inherits', { ...PERMIT, outcome: 'constructor' }],
    ['no outcome', { ...PERMIT, outcome: undefined }],
    ['a permit without the id of a decision', { ...PERMIT, id: undefined }],
    ['a permit without policies', { ...PERMIT, policies: undefined }],
    ['policies that are none', { ...PERMIT, policies: [7] }],
    ['no reason', { ...PERMIT, reason: undefined }],
    ['a request without an id', { ...PERMIT, approval: {} }],
  ] as const)
    test(`by ${what}`, async (t) => {
      const { ctx } = await ask(t, () => answer);
      await assert.rejects(requirePermit(ctx, QUESTION), unreachable('PROTOCOL', /no decision: answer/));
    });

  test('when it is forbidden: the error names policies and decision', async (t) => {
    const reason = 'forbidden by no_loss';
    const { ctx, heard } = await ask(t, () => ({ ...PERMIT, outcome: 'forbid', policies: ['no_loss'], reason }));
    await assert.rejects(requirePermit(ctx, QUESTION, { what: 'forgetting' }), {
      code: 'FORBIDDEN',
      message: 'governance forbids forgetting: forbidden by no_loss (policies: no_loss; decision dec-1)',
      details: { decision: 'dec-1', policies: ['no_loss'] },
    });
    assert.equal(heard.length, 1);
  });

  test('before it is approved: the error names the request; and after it the same question is permitted', async (t) => {
    const waiting = { ...PERMIT, outcome: 'needs_approval', approval: { id: 'apr-1', state: 'pending' } };
    const { ctx, heard } = await ask(t, (_, times) => (times === 1 ? waiting : PERMIT));
    await assert.rejects(requirePermit(ctx, QUESTION), {
      code: 'APPROVAL_NEEDED',
      message: /^call_verb librarian\.forget needs an approval: .*decision dec-1; request apr-1\)$/,
      details: { decision: 'dec-1', policies: ['the_test'], approval: 'apr-1' },
    });
    await requirePermit(ctx, QUESTION);
    assert.deepEqual(heard[0], heard[1]);
  });
});

describe('a governance that is being restarted', () => {
  test('is asked once more', async (t) => {
    const { ctx, heard } = await ask(t, (_, times) => {
      if (times === 1) throw failing('KERNEL_NOT_RUNNING');
      return PERMIT;
    });
    assert.equal((await requirePermit(ctx, QUESTION)).outcome, 'permit');
    assert.equal(heard.length, 2);
  });

  test('is asked once more when the first question was lost with it', async (t) => {
    const { ctx } = await ask(t, (_, times) => (times === 1 ? new Promise(() => {}) : PERMIT));
    assert.equal((await requirePermit(ctx, QUESTION, { deadlineMs: 300, tries: 50 })).outcome, 'permit');
  });

  test('is not asked again by who asks once, and not what it has refused', async (t) => {
    let code = 'KERNEL_NOT_RUNNING';
    const { ctx, heard } = await ask(t, () => {
      throw failing(code);
    });
    await assert.rejects(askGovernance(ctx, QUESTION, { tries: 1 }), { code: 'GOVERNANCE_UNREACHABLE' });
    assert.equal(heard.length, 1);
    for (code of ['BAD_INPUT', 'TOO_LARGE', 'FORBIDDEN', 'BUS_DENIED']) {
      heard.length = 0;
      await assert.rejects(
        askGovernance(ctx, QUESTION),
        (error: Error) => (error.cause as { code: string }).code === code,
      );
      assert.equal(heard.length, 1, code);
    }
  });

  test('is not waited for by a kernel that drains', async () => {
    const call = async () => {
      throw failing('KERNEL_NOT_RUNNING');
    };
    const asked = askGovernance({ call, signal: AbortSignal.abort() }, QUESTION);
    const turn = new Promise((resolve) => setImmediate(resolve, 'it waits'));
    assert.equal(await Promise.race([asked.catch(({ code }) => code), turn]), 'GOVERNANCE_UNREACHABLE');
  });
});
