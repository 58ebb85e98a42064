import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { KernelContext } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { change, folderOf, isCoded, PRODUCT, playbook, withGovernance } from '../fixtures/governance-rig.ts';
import { UNFINISHED } from '../keeper.ts';
import { checkPolicies } from './check.ts';
import { readSources } from './sources.ts';

describe('policies', () => {
  const inForce = (home: string, file: string) => join(home, 'governance', 'in-force', file);

  test('come into force by reload, all at once, for somebody who may; every version stays on record', () => {
    const own = folderOf({});
    return withGovernance(
      async (rig) => {
        const { version: before } = (await rig.as('cli', 'status')) as never as { version: string };
        writeFileSync(
          join(own, 'mine.cedar'),
          '@id("no_gap") forbid (principal, action == Action::"run_playbook", resource == Playbook::"gap");',
        );
        assert.equal(
          (await rig.as('self_healing', 'decide', playbook('gap'))).outcome,
          'permit',
          'a file alone changes nothing',
        );
        await assert.rejects(rig.as('self_healing', 'reload'), isCoded('FORBIDDEN', /no policy permits/));
        const reloaded = (await rig.as('cli', 'reload')) as never as {
          former: string;
          changed: boolean;
          version: string;
        };
        assert.deepEqual([reloaded.former, reloaded.changed], [before, true]);
        assert.deepEqual((await rig.as('self_healing', 'decide', playbook('gap'))).policies, ['no_gap']);
        assert.match(readFileSync(inForce(rig.home, 'mine.cedar'), 'utf8'), /no_gap/);
        await rig.restart('governance');
        assert.deepEqual((await rig.as('self_healing', 'decide', playbook('gap'))).policies, ['no_gap']);
        const { versions, sources } = (await rig.as('cli', 'policies')) as never as {
          versions: { version: string; inForce: boolean; by: string }[];
          sources: { changed: string[] };
        };
        assert.deepEqual(
          versions.map(({ version, inForce }) => [version, inForce]).sort(),
          [
            [before, false],
            [reloaded.version, true],
          ].sort(),
        );
        assert.deepEqual(sources.changed, []);
        const former = await rig.as('cli', 'simulate', {
          ...playbook('gap'),
          principal: 'self_healing',
          version: before,
        });
        assert.equal(former.outcome, 'permit');
      },
      { own },
    );
  });

  const bad: [string, Record<string, string>, RegExp][] = [
    [
      'a syntax error',
      { 'a.cedar': '@id("a")\npermit (principal, action, resource)\nwhen { 1 == };' },
      /^a\.cedar:3:13: unexpected token/,
    ],
    [
      'no id',
      { 'a.cedar': '// hm\npermit (principal, action == Action::"probe", resource);' },
      /^a\.cedar:2:1: expected an annotation like @id/,
    ],
    [
      'an id twice',
      { 'a.cedar': '@id("acts_after_approval")\nforbid (principal, action == Action::"probe", resource);' },
      /"acts_after_approval" stands at a/,
    ],
    [
      'an unknown action',
      { 'a.cedar': '@id("a")\nforbid (principal, action == Action::"run_playbok", resource);' },
      /^a\.cedar:2:\d+: .*unrecognized action.*did you mean.*run_playbook/,
    ],
    [
      'an unknown attribute',
      {
        'a.cedar':
          '@id("a")\nforbid (principal, action == Action::"probe", resource)\nwhen { principal.teir == "act" };',
      },
      /^a\.cedar:3:\d+: .*teir/,
    ],
    [
      'a policy that can never apply',
      { 'a.cedar': '@id("a") forbid (principal, action == Action::"probe", resource) when { false };' },
      /^a\.cedar:1:1: .*impossible/,
    ],
    [
      'a template',
      { 'a.cedar': '@id("a") forbid (principal == ?principal, action == Action::"probe", resource);' },
      /expected a policy, got a template/,
    ],
    [
      'brackets without end',
      {
        'a.cedar': `@id("a")\nforbid (principal, action, resource) when { ${'('.repeat(5000)}true${')'.repeat(5000)} };`,
      },
      /^a\.cedar:2:\d+: expected brackets nested at most 64 deep/,
    ],
    ['a schema error', { 'mine.cedarschema': 'entity Thing;\nentity ;' }, /^mine\.cedarschema:2:\d+: /],
    [
      'an action that governance needs',
      { 'schema.cedarschema': 'entity Role;\nentity Principal in [Role] { tier: String, kind: String };' },
      /expected the action decide_request|unrecognized/,
    ],
    [
      'an unknown tier',
      { 'settings.mine.yaml': 'format: 1\nprincipals:\n  librarian: { tier: atc }\n' },
      /^settings\.mine\.yaml:3:\d+: principals\.librarian\.tier: expected .*act/,
    ],
    [
      'a setting of the wrong name',
      { 'settings.mine.yaml': 'format: 1\naproval_required: true\n' },
      /^settings\.mine\.yaml:2:1: .*did you mean "approval_required"/,
    ],
  ];
  for (const [what, files, message] of bad) {
    test(`with ${what} are refused with file and line`, async () => {
      const sources = readSources([PRODUCT, folderOf(files)]);
      await assert.rejects(sources.then(checkPolicies), isCoded('POLICY_INVALID', message));
    });
  }

  test('that are wrong do not come into force by a reload, and what was in force stays', () => {
    const own = folderOf({});
    return withGovernance(
      async (rig) => {
        for (const [what, files, message] of [bad[0]!, bad.at(-1)!]) {
          for (const [name, text] of Object.entries(files)) writeFileSync(join(own, name), text);
          await assert.rejects(rig.as('cli', 'reload'), isCoded('POLICY_INVALID', message), what);
          for (const name of Object.keys(files)) rmSync(join(own, name));
          assert.equal((await rig.as('self_healing', 'decide', playbook('gap'))).outcome, 'permit', what);
        }
        assert.equal(((await rig.as('cli', 'reload')) as never as { changed: boolean }).changed, false);
        await rig.probe('governance');
      },
      { own },
    );
  });

  test('that break the parser itself never touch those in force', () => {
    // Nested without brackets: the check of brackets does not see it coming.
    const deep = `@id("deep") forbid (principal, action == Action::"probe", resource) when { ${'if true then '.repeat(640)}true${' else false'.repeat(640)} };`;
    return withGovernance(async (rig) => {
      const asked = { ...playbook('gap'), principal: 'self_healing', files: [{ name: 'deep.cedar', text: deep }] };
      await assert.rejects(rig.as('cli', 'simulate', asked), isCoded('POLICY_INVALID', /break the parser/));
      assert.equal((await rig.as('self_healing', 'decide', playbook('gap'))).outcome, 'permit');
      assert.equal(
        (await rig.as('cli', 'simulate', { ...playbook('gap'), principal: 'self_healing' })).outcome,
        'permit',
      );
      await rig.probe('governance');
    });
  });

  test('can be tried out without effect', () =>
    withGovernance(async (rig) => {
      const text = '@id("frozen") forbid (principal, action in Action::"changes", resource);';
      const tried = await rig.as('cli', 'simulate', {
        ...playbook('gap'),
        principal: 'self_healing',
        files: [{ name: 'mine.cedar', text }],
      });
      assert.deepEqual([tried.outcome, tried.policies], ['forbid', ['frozen']]);
      const lower = 'format: 1\nprincipals:\n  self_healing: { tier: observe, kind: kernel, roles: [repairer] }\n';
      const held = await rig.as('cli', 'simulate', {
        ...playbook('gap'),
        principal: 'self_healing',
        files: [{ name: 'z.yaml', text: lower }],
      });
      assert.deepEqual(held.policies, ['observers_change_nothing']);
      assert.equal((await rig.as('self_healing', 'decide', playbook('gap'))).outcome, 'permit');
      assert.equal(
        ((await rig.as('cli', 'decisions')) as never as unknown[]).length,
        1,
        'what is tried out is no decision',
      );
    }));

  test('without approvals required permit what would need one, because an operator said so', () =>
    withGovernance(
      async (rig) => {
        const decided = await rig.as('coding_agent', 'decide', change('task-1'));
        assert.deepEqual([decided.outcome, decided.policies], ['permit', ['acts_after_approval']]);
        assert.match(decided.reason, /require no approvals/);
        assert.equal((await rig.as('sandbox', 'decide', change('task-1'))).outcome, 'forbid');
      },
      { own: folderOf({ 'settings.mine.yaml': 'format: 1\napproval_required: false\n' }) },
    ));

  test('a policy that cannot be evaluated forbids, where Cedar would pass over it', () =>
    withGovernance(
      async (rig) => {
        const decided = await rig.as('self_healing', 'decide', playbook('gap'));
        assert.deepEqual([decided.outcome, decided.policies], ['forbid', ['overflows']]);
        assert.match(decided.reason, /could not be evaluated: integer overflow/);
      },
      {
        own: folderOf({
          'mine.cedar':
            '@id("overflows") forbid (principal, action == Action::"run_playbook", resource) when { 9223372036854775807 + 1 == 0 };',
        }),
      },
    ));
});

describe('drift of the files in force', () => {
  const file = (home: string, name: string) => join(home, 'governance', 'in-force', name);
  const settings = readFileSync(join(PRODUCT, 'settings.yaml'), 'utf8');
  const slipped = settings.replace('approval_required: true', 'approval_required: false');

  test('an approval_required: false slipped in is seen, refused, put back, written down, and never governs', () =>
    withGovernance(async (rig) => {
      const audited: Record<string, unknown>[] = [];
      await rig.bus('record').subscribe('audit.governance', ({ payload }) => void audited.push(payload as never));
      writeFileSync(file(rig.home, 'settings.yaml'), slipped);
      await poll('the file as it was', () => readFileSync(file(rig.home, 'settings.yaml'), 'utf8') === settings);
      assert.equal((await rig.as('coding_agent', 'decide', change('task-1'))).outcome, 'needs_approval');
      const event = await poll(
        'the event',
        () => rig.reports.find(({ event }) => event.name === 'governance:drift')?.event,
      );
      const { data } = event as never as { data: Record<string, unknown> };
      assert.deepEqual([data['file'], data['what'], data['restored']], ['settings.yaml', 'changed', true]);
      assert.deepEqual(data['line'], {
        number: slipped.split('\n').indexOf('approval_required: false') + 1,
        text: 'approval_required: false',
      });
      const entry = await poll('the entry', () => audited.find(({ action }) => action === 'alter policies in force'));
      assert.deepEqual([entry['resource'], entry['outcome']], ['settings.yaml', 'refused, restored']);
    }));

  test('a file that was altered while nobody looked is put back at the start', () =>
    withGovernance(async (rig) => {
      await rig.restart('governance');
      const before = rig.reports.length;
      const definition = rig.restart('governance');
      writeFileSync(file(rig.home, 'settings.yaml'), slipped);
      await definition;
      await poll('the file as it was', () => readFileSync(file(rig.home, 'settings.yaml'), 'utf8') === settings);
      await poll('the event', () => rig.reports.length > before);
      assert.equal((await rig.as('coding_agent', 'decide', change('task-1'))).outcome, 'needs_approval');
    }));

  test('files that its own process did not finish writing are finished, and no drift', () => {
    let inside: KernelContext | undefined;
    return withGovernance(
      async (rig) => {
        inside!.store.set(UNFINISHED, true);
        const stopped = rig.restart('governance');
        writeFileSync(file(rig.home, 'settings.yaml'), 'half');
        await stopped;
        assert.equal(readFileSync(file(rig.home, 'settings.yaml'), 'utf8'), settings);
        assert.equal(rig.reports.filter(({ event }) => event.name === 'governance:drift').length, 0);
      },
      {
        settings: { lookMs: 60_000 },
        change: (ctx) => {
          inside = ctx;
          return {};
        },
      },
    );
  });

  const instead = (path: string, put: () => void): void => {
    rmSync(path, { recursive: true });
    put();
  };
  const tamperings: [string, string, (path: string) => void][] = [
    ['a removed file', 'drills.cedar', (path) => rmSync(path)],
    ['an added file', 'open.cedar', (path) => writeFileSync(path, '@id("open") permit (principal, action, resource);')],
    ['a link in place of a file', 'drills.cedar', (path) => instead(path, () => symlinkSync('/dev/zero', path))],
    ['a folder in place of a file', 'drills.cedar', (path) => instead(path, () => mkdirSync(path))],
    ['the folder gone', '', (path) => rmSync(path, { recursive: true })],
    ['a link in place of the folder', '', (path) => instead(path, () => symlinkSync('/', path.replace(/\/$/, '')))],
  ];
  test('whatever is done to the folder, it comes back', () =>
    withGovernance(async (rig) => {
      const drills = readFileSync(join(PRODUCT, 'drills.cedar'), 'utf8');
      for (const [what, name, tamper] of tamperings) {
        const before = rig.reports.length;
        tamper(file(rig.home, name));
        await poll(`${what} is noticed`, () => rig.reports.length > before);
        await poll(`${what} is put back`, async () => {
          const { drift } = (await rig.as('cli', 'status')) as never as { drift: { latest: { restored: boolean } } };
          return drift.latest.restored && readFileSync(file(rig.home, 'drills.cedar'), 'utf8') === drills;
        });
      }
      await poll('no file that does not belong', () => {
        try {
          readFileSync(file(rig.home, 'open.cedar'));
          return false;
        } catch {
          return true;
        }
      });
    }));
});
