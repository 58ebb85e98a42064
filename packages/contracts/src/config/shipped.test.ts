import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { MANIFEST_DEFAULTS } from '../manifest.ts';
import { SETTINGS_DEFAULTS } from '../plan.ts';
import { parseAcl } from './acl.ts';
import { parseGraceConfig } from './grace-config.ts';

const read = (name: string): string => readFileSync(new URL(`../../../../configs/${name}`, import.meta.url), 'utf8');

describe('configs/grace.yaml', () => {
  const text = read('grace.yaml');

  test('as it is, it changes nothing', () => {
    const config = parseGraceConfig(text, 'configs/grace.yaml');
    assert.deepEqual([config.settings, config.safeguards, config.kernels], [{}, {}, {}]);
  });

  test('what its comments show as defaults are the defaults', () => {
    const shown = text
      .split('\n')
      .filter((line) => /^# (?:[a-z]+:| {2})/.test(line))
      .map((line) => line.slice(2))
      .join('\n');
    const { settings, safeguards, kernels, ...paths } = parseGraceConfig(shown, 'configs/grace.yaml');
    assert.deepEqual(settings, SETTINGS_DEFAULTS);
    assert.deepEqual(safeguards, { heartbeatDetector: true, mute: true, restartEngine: true });
    const { module: _, title: __, cell: ___, ...rest } = kernels['my_kernel']!.manifest;
    const { limits, ...defaults } = MANIFEST_DEFAULTS;
    assert.deepEqual(rest, { ...defaults, needs: ['message_bus'] });
    assert.deepEqual(kernels['librarian']!.manifest.limits, limits);
    assert.deepEqual([paths.acl, paths.playbooks, paths.scenarios], ['./acl.yaml', './playbooks', './scenarios']);
  });
});

describe('configs/acl.yaml', () => {
  const acl = parseAcl(read('acl.yaml'), 'configs/acl.yaml');

  test('the intruder of the drill has one corner and nothing else', () => {
    assert.deepEqual(acl.principals['chaos_test'], {
      publish: { allow: ['workload.chaos_test.>'], deny: ['system.control.>'] },
      subscribe: { allow: [], deny: [] },
    });
  });

  test("the journal's subjects can be published by the supervisor alone", () => {
    for (const [principal, { publish }] of Object.entries(acl.principals)) {
      const covers = publish.allow.some((pattern) => pattern === '>' || /^(system|\*)\.(events|\*|>)/.test(pattern));
      if (principal === 'supervisor' || !covers) continue;
      assert.ok(publish.deny.includes('system.events.>'), `${principal} could forge events`);
    }
  });
});
