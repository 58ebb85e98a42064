import assert from 'node:assert/strict';
import { readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseAcl } from '@grace/contracts/config';
import { defineKernel } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { isCoded, withAgent } from './fixtures/agent-rig.ts';
import { contentOf, put, treeOf } from './fixtures/tree.ts';

const JSON_BROKEN = '{\n  "a": [1, 2,],\n  "b": 3\n}\n';
const PYTHON_UNUSED = 'import os\nimport sys\n\nprint(sys.argv)\n';
const COMMA = 'json-trailing-comma';

describe('the whole way', () => {
  test('a finding is scanned, submitted, proposed, verified, applied as policies allow, and taken back', async () => {
    const root = treeOf({ 'conf/a.json': JSON_BROKEN, 'tool.py': PYTHON_UNUSED });
    const before = contentOf(root);
    const decisions: { what: string }[] = [];
    const clarity = defineKernel({
      id: 'clarity_framework',
      start: () => ({ verbs: { record: (input: { what: string }) => void decisions.push(input) }, probe: () => ({}) }),
    });
    await withAgent({ roots: [root], others: [clarity] }, async ({ rig, call, scan, done, audit, asked }) => {
      const events: string[] = [];
      await rig.bus('listener').subscribe('kernel.coding_agent.event.>', ({ subject, payload }) => {
        const { state, rule } = payload as { state: string; rule: string };
        events.push(subject.endsWith('task') ? state : rule);
      });
      const scanned = await scan(root);
      assert.deepEqual(
        [scanned.state, scanned.files, scanned.findings.byRule],
        ['complete', 2, { F401: 1, [COMMA]: 1 }],
      );
      await poll('findings are told', () => events.includes('F401') && events.includes(COMMA));

      const finding = scanned.items.find(({ rule }) => rule === 'F401')!.finding;
      const { id, repeated } = await call('submit', { finding, priority: 7, why: 'the test wants it' });
      const again = await call('submit', { finding });
      assert.deepEqual([repeated, again.id, again.repeated], [false, id, true]);
      const task = await done(id);
      assert.deepEqual(
        task.steps.map(({ state }) => state),
        ['queued', 'analysing', 'proposed', 'verified'],
      );
      const { change } = task;
      assert.equal(change!.diff, '--- a/tool.py\n+++ b/tool.py\n@@ -1,1 +0,0 @@\n-import os\n');
      assert.deepEqual([change!.strategy, change!.proof!.isGone, change!.proof!.fresh], ['ruff:F401', true, []]);
      assert.deepEqual(contentOf(root), before, 'nothing is changed before it is applied');

      assert.equal((await call('apply', { id })).state, 'applied');
      assert.deepEqual(contentOf(root), { ...before, 'tool.py': 'import sys\n\nprint(sys.argv)\n' });
      const { action, resource, context } = asked[0]!;
      assert.deepEqual([action, resource], ['apply_change', change!.id]);
      assert.deepEqual(context, { files: [join(root, 'tool.py')], lines: 1, verified: true, kind: 'ruff:F401' });
      assert.equal((await scan(root)).findings.byRule['F401'], undefined);

      assert.equal((await call('revert', { id })).state, 'reverted');
      assert.deepEqual(contentOf(root), before);
      assert.deepEqual(
        asked.map((question) => question.action),
        ['apply_change', 'revert_change'],
      );
      await poll('both are on the record', () => audit.length === 2);
      assert.deepEqual(
        audit.map((entry) => [entry['actor'], entry['action'], entry['resource'], entry['outcome']]),
        ['apply', 'revert'].map((act) => ['test', `change:${act}`, change!.id, 'ok']),
      );
      await poll(
        'all states are told, all decisions recorded',
        () => events.includes('reverted') && decisions.length === 3,
      );
    });
  });

  test('TypeScript in the threads of the workshop, and the codemod is taken where nothing else is', async () => {
    const root = treeOf({
      'tsconfig.json': '{"compilerOptions": {"strict": true, "lib": ["es5"], "types": []}}',
      'record.ts': 'export function append(entry: { actor: string }): string {\n  return entry.actor;\n}\n',
      'use.ts': "import { append } from './record';\nappend({ actor: 'a', subsystem: 'tower' });\n",
    });
    await withAgent({ roots: [root] }, async ({ call, mend, scan }) => {
      const task = await mend(root, 'use.ts', 'ts2353');
      assert.deepEqual([task.error, task.change?.strategy], [null, 'codemod:add-parameter']);
      await call('apply', { id: task.id });
      assert.match(contentOf(root)['record.ts']!, /\{ actor: string; subsystem\?: string \}/);
      assert.equal((await scan(root, { kinds: ['typescript'] })).findings.total, 0);
    });
  });

  test('a scan judges only what has changed since, in every language, and pages what it found', async () => {
    const root = treeOf({
      ...Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`f${i}.json`, '[1,]'])),
      'a.py': '',
      'a.ts': '',
      'tsconfig.json': '{"compilerOptions": {"lib": ["es5"], "types": []}}',
      'b.yaml': 'a: 1',
    });
    await withAgent({ roots: [root] }, async ({ call, scan }) => {
      const first = await scan(root, { limit: 5 });
      assert.deepEqual([first.judged, first.unchanged, first.items.length, first.next], [11, 0, 5, 5]);
      const rest = await call<typeof first>('scan', { scan: first.scan, offset: 5 });
      assert.deepEqual([rest.items.length, rest.next], [2, null]);
      const second = await scan(root);
      assert.deepEqual([second.judged, second.unchanged], [0, 11]);
      put(root, 'f0.json', '[1]');
      rmSync(join(root, 'f1.json'));
      const third = await scan(root);
      assert.deepEqual([third.judged, third.unchanged, third.findings.total], [1, 9, 5]);
    });
  });

  test('a task that failed, was taken back, or whose defect came again begins anew under its own id', async () => {
    const root = treeOf({ 'a.json': '{"a": }\n', 'b.json': '[1,]\n' });
    await withAgent({ roots: [root] }, async ({ call, mend }) => {
      const hopeless = await mend(root, 'a.json', 'json-syntax');
      assert.deepEqual([hopeless.state, hopeless.attempt], ['failed', 1]);
      assert.match(hopeless.error!, /no strategy knows a fix/);
      assert.equal((await mend(root, 'a.json', 'json-syntax')).attempt, 2);
      const { id } = await mend(root, 'b.json', COMMA);
      await call('apply', { id });
      put(root, 'b.json', '[1,]\n');
      const again = await mend(root, 'b.json', COMMA);
      assert.deepEqual([again.id, again.state, again.attempt], [id, 'verified', 2]);
    });
  });
});

test('nothing is changed', async (t) => {
  const base = treeOf();
  let decide = (): string => 'permit';
  await withAgent({ roots: [base], decide: () => decide() }, async ({ call, mend, asked, audit }) => {
    let number = 0;
    /** A tree of its own with a task that is verified; `then` is what governance does from here on. */
    const verified = async (then: (root: string) => string) => {
      const root = join(base, `tree-${++number}`);
      put(root, 'in/a.json', JSON_BROKEN);
      const task = await mend(root, 'in/a.json', COMMA);
      assert.equal(task.state, 'verified', task.error ?? '');
      decide = () => then(root);
      asked.length = 0;
      return { root, id: task.id };
    };
    const untouched = { 'in/a.json': JSON_BROKEN };

    await t.test('when governance forbids: FORBIDDEN with its policies, on the record', async () => {
      const { root, id } = await verified(() => 'forbid');
      await assert.rejects(call('apply', { id }), isCoded('FORBIDDEN', /policies: forbid-it; decision dec-1/));
      assert.deepEqual([contentOf(root), (await call('task', { id })).state], [untouched, 'verified']);
      await poll('the refusal is on the record', () => audit.some(({ outcome }) => outcome === 'FORBIDDEN'));
    });

    await t.test('before it is approved: approve asks once, so that it does not use up what was granted', async () => {
      let answer = 'needs_approval';
      const { root, id } = await verified(() => answer);
      await assert.rejects(call('apply', { id }), isCoded('APPROVAL_NEEDED', /apr-1/));
      assert.deepEqual(contentOf(root), untouched);
      assert.equal((await call<{ approval: string }>('approve', { id })).approval, 'apr-1');
      assert.equal(asked.length, 1);
      answer = 'permit';
      assert.equal((await call('apply', { id })).state, 'applied');
      assert.equal(asked[0]!.resource, asked[1]!.resource);
    });

    await t.test('when governance answers nonsense', async () => {
      const { root, id } = await verified(() => 'surely');
      await assert.rejects(call('apply', { id }), isCoded('GOVERNANCE_UNREACHABLE', /PROTOCOL/));
      assert.deepEqual(contentOf(root), untouched);
    });

    await t.test('when the file is another than the one that was verified', async () => {
      const { root, id } = await verified(() => 'permit');
      put(root, 'in/a.json', '{"mine": 1}');
      await assert.rejects(call('apply', { id }), isCoded('CONFLICT', /has changed since/));
      assert.deepEqual([contentOf(root), asked.length], [{ 'in/a.json': '{"mine": 1}' }, 0]);
    });

    await t.test('when the file becomes another while governance decides', async () => {
      const { root, id } = await verified((tree) => {
        put(tree, 'in/a.json', '{"late": 1}');
        return 'permit';
      });
      await assert.rejects(call('apply', { id }), isCoded('CONFLICT'));
      assert.deepEqual(contentOf(root), { 'in/a.json': '{"late": 1}' });
    });

    for (const [what, swapped, target] of [
      ['folder', 'in', 'in'],
      ['file', 'in/a.json', 'a.json'],
      ['root', '', ''],
    ] as const)
      await t.test(`when a link takes the place of the ${what} while governance decides`, async () => {
        const outside = treeOf({ 'in/a.json': JSON_BROKEN, 'a.json': JSON_BROKEN });
        const { id } = await verified((tree) => {
          renameSync(join(tree, swapped), `${tree}-moved`);
          symlinkSync(join(outside, target), join(tree, swapped));
          return 'permit';
        });
        await assert.rejects(call('apply', { id }), isCoded('FORBIDDEN', /link/));
        assert.deepEqual(contentOf(outside), { 'in/a.json': JSON_BROKEN, 'a.json': JSON_BROKEN });
      });

    await t.test('by a revert, when the file was changed since it was applied', async () => {
      const { root, id } = await verified(() => 'permit');
      await call('apply', { id });
      put(root, 'in/a.json', '{"mine": 1}');
      await assert.rejects(call('revert', { id }), isCoded('CONFLICT', /changed since the patch was applied/));
      assert.deepEqual(
        [contentOf(root), (await call('task', { id })).state],
        [{ 'in/a.json': '{"mine": 1}' }, 'applied'],
      );
    });
  });
});

describe('nothing is changed either', () => {
  test('when governance is not there', async () => {
    const root = treeOf({ 'a.json': JSON_BROKEN });
    await withAgent({ roots: [root], governance: false }, async ({ call, mend }) => {
      const { id } = await mend(root, 'a.json', COMMA);
      for (const verb of ['apply', 'approve'])
        await assert.rejects(call(verb, { id }), isCoded('GOVERNANCE_UNREACHABLE'));
      assert.deepEqual(contentOf(root), { 'a.json': JSON_BROKEN });
    });
  });

  test('when the command of the project fails in its copy; and it is when it passes there', async () => {
    for (const [code, state] of [
      ["JSON.parse(require('fs').readFileSync('in/a.json')).b === 3 || process.exit(1)", 'verified'],
      ["console.log('not today'); process.exit(3)", 'failed'],
      ["require('child_process').spawn('sleep', ['600'], { stdio: 'inherit' }); setInterval(() => {}, 1000)", 'failed'],
    ] as const) {
      const root = treeOf({ 'in/a.json': JSON_BROKEN, 'node_modules/x/index.js': '' });
      const check = {
        folder: root,
        command: [process.execPath, '-e', code],
        timeoutMs: code.includes('sleep') ? 500 : 30_000,
      };
      await withAgent({ roots: [root], config: { checks: [check] } }, async ({ rig, mend }) => {
        const task = await mend(root, 'in/a.json', COMMA);
        assert.equal(task.state, state, task.error ?? '');
        if (state === 'verified') assert.equal(task.change!.check!.exitCode, 0);
        else assert.match(task.error!, /not today|was ended/);
        assert.equal(contentOf(root)['in/a.json'], JSON_BROKEN);
        assert.deepEqual(contentOf(join(rig.stateDir('coding_agent'), 'copies')), {});
      });
    }
  });
});

describe('bad inputs are refused with a code', () => {
  const circle: Record<string, unknown> = {};
  circle['root'] = circle;
  const cases: [string, string, unknown, string][] = [
    ['no root', 'scan', {}, 'BAD_INPUT'],
    ['a root of another type', 'scan', { root: 7 }, 'BAD_INPUT'],
    ['a circle', 'scan', circle, 'BAD_INPUT'],
    ['a relative root', 'scan', { root: 'src' }, 'BAD_INPUT'],
    ['a root outside', 'scan', { root: '/etc' }, 'FORBIDDEN'],
    ['a root that climbs out', 'scan', { root: 'ROOT/../..' }, 'FORBIDDEN'],
    ['a root with NUL', 'scan', { root: 'ROOT\0' }, 'BAD_INPUT'],
    ['a root too long', 'scan', { root: `ROOT/${'x'.repeat(5000)}` }, 'BAD_INPUT'],
    ['an unknown kind', 'scan', { root: 'ROOT', kinds: ['pyton'] }, 'BAD_INPUT'],
    ['an unknown field', 'scan', { root: 'ROOT', kind: 'python' }, 'BAD_INPUT'],
    ['an unknown scan', 'scan', { scan: 'scan-1' }, 'NOT_FOUND'],
    ['too large a page', 'scan', { root: 'ROOT', limit: 501 }, 'BAD_INPUT'],
    ['nothing to submit', 'submit', {}, 'BAD_INPUT'],
    ['an unknown finding', 'submit', { finding: 'f'.repeat(24) }, 'NOT_FOUND'],
    ['a finding as SQL', 'submit', { finding: "' OR 1=1 --" }, 'NOT_FOUND'],
    ['a file outside', 'submit', { root: 'ROOT', file: '../a.json', rule: 'x' }, 'FORBIDDEN'],
    ['an absolute file', 'submit', { root: 'ROOT', file: '/etc/passwd', rule: 'x' }, 'FORBIDDEN'],
    ['a file of no language', 'submit', { root: 'ROOT', file: 'a.exe', rule: 'x' }, 'UNSUPPORTED_TYPE'],
    ['a rule that found nothing', 'submit', { root: 'ROOT', file: 'a.json', rule: 'json-trailing-coma' }, 'NOT_FOUND'],
    ['a priority out of range', 'submit', { finding: 'x', priority: 10 }, 'BAD_INPUT'],
    ['a why too long', 'submit', { finding: 'x', why: 'x'.repeat(1001) }, 'BAD_INPUT'],
    ...(['task', 'approve', 'apply', 'revert'] as const).flatMap((verb): [string, string, unknown, string][] => [
      ['no id', verb, {}, 'BAD_INPUT'],
      ['an unknown id', verb, { id: 'task-000000000000' }, 'NOT_FOUND'],
      ['an id of the prototype', verb, { id: '__proto__' }, 'NOT_FOUND'],
    ]),
    ['an unknown state', 'tasks', { state: 'done' }, 'BAD_INPUT'],
    ['something to status', 'status', { x: 1 }, 'BAD_INPUT'],
  ];
  test('each verb, each kind of it, and nothing is lost', async () => {
    const root = treeOf({ 'a.json': '[1,]' });
    const real = (input: unknown): unknown =>
      input === circle ? input : JSON.parse(JSON.stringify(input).replaceAll('ROOT', root));
    await withAgent({ roots: [root] }, async ({ call, mend }) => {
      const { id } = await mend(root, 'a.json', COMMA);
      for (const [what, verb, input, code] of cases)
        await assert.rejects(call(verb, real(input)), isCoded(code), `${verb}: ${what}`);
      await assert.rejects(
        call('submit', { root, file: 'a.json', rule: 'json-trailing-coma' }),
        /did you mean "json-trailing-comma"/,
      );
      await assert.rejects(call('task', { id: `${id.slice(0, -1)}-` }), /did you mean/);
      await assert.rejects(call('revert', { id }), isCoded('CONFLICT', /is verified/));
      assert.deepEqual([(await call('task', { id })).state, contentOf(root)], ['verified', { 'a.json': '[1,]' }]);
    });
  });

  test('without configured roots nothing may be read; a configuration of another shape is refused', async () => {
    const root = treeOf({ 'a.json': '[1,]' });
    await withAgent({ roots: [] }, async ({ scan }) => {
      await assert.rejects(scan(root), isCoded('FORBIDDEN', /config\.roots/));
    });
    for (const config of [
      { roots: ['src'] },
      { threads: 0 },
      { checks: [{ folder: root, command: [] }] },
      { rots: [] },
    ])
      await assert.rejects(
        withAgent({ roots: [root], config }, async () => {}),
        isCoded('CONFIG_INVALID', /kernels\.coding_agent\.config/),
      );
  });

  test('a scan ends at the deadline of its caller, and what it has judged is kept', async () => {
    const root = treeOf(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}.json`, '[1,]'])));
    await withAgent({ roots: [root] }, async ({ rig, scan }) => {
      await assert.rejects(rig.call('coding_agent', 'scan', { root }, 210), isCoded('DEADLINE'));
      const whole = await scan(root);
      assert.deepEqual([whole.state, whole.findings.byRule], ['complete', { [COMMA]: 300 }]);
    });
  });
});

test('by the shipped access rules it asks governance and records decisions, and may do no more', async () => {
  const acl = parseAcl(
    readFileSync(new URL('../../../../configs/acl.yaml', import.meta.url), 'utf8'),
    'configs/acl.yaml',
  );
  const root = treeOf({ 'a.json': '[1,]' });
  await withAgent({ roots: [root], acl }, async ({ rig, call, mend }) => {
    const { id } = await mend(root, 'a.json', COMMA);
    assert.equal((await call('apply', { id })).state, 'applied');
    const itself = rig.bus('coding_agent');
    for (const subject of [
      'task.x',
      'incident.x',
      'audit.cli',
      'kernel.governance.call.approve',
      'kernel.sandbox.call.execute',
      'kernel.secret_manager.call.get',
    ])
      await assert.rejects(itself.publish(subject, {}), { code: 'BUS_DENIED' }, subject);
  });
});
