import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAcl } from './acl.ts';
import { parseGraceConfig } from './grace-config.ts';

describe('grace.yaml', () => {
  test('units become milliseconds and bytes, and what is not written is not there', () => {
    const config = parseGraceConfig(
      `
settings: { sample: 1s, log_max: 64MB }
safeguards: { mute: false }
kernels:
  greeter:
    module: ./greeter.mjs
    limits: { heap: 64MiB }
    probe: { interval: 2.5s }
    restart: { class: transient, backoff: 0 }
    config: { anything: [1, 2] }
  librarian: { enabled: false }
`,
      '/x/grace.yaml',
    );
    assert.deepEqual(config.settings, { sampleMs: 1000, logMaxBytes: 64e6 });
    assert.deepEqual(config.safeguards, { mute: false });
    assert.deepEqual(config.kernels['greeter'], {
      enabled: true,
      manifest: {
        module: './greeter.mjs',
        limits: { heapBytes: 64 * 1024 ** 2 },
        probe: { intervalMs: 2500 },
        restart: { class: 'transient', backoffMs: 0 },
        config: { anything: [1, 2] },
      },
    });
    assert.deepEqual(config.kernels['librarian'], { enabled: false, manifest: {} });
    assert.equal(config.at(['kernels', 'librarian', 'enabled']), '/x/grace.yaml:11:25');
  });

  test('an empty file is a valid one', () => {
    assert.deepEqual(parseGraceConfig('# nothing\n', 'f').kernels, {});
  });

  test('a misspelt key inside a kernel is named with the nearest one', () => {
    assert.throws(() => parseGraceConfig('kernels:\n  librarian:\n    limit: { heap: 1MB }\n', 'grace.yaml'), {
      code: 'CONFIG_INVALID',
      message: /^grace\.yaml:3:5: kernels\.librarian\.limit: .*\(did you mean "limits"\?\)$/,
    });
  });

  test('an id that is not snake_case, a zero interval and a bad size are refused', () => {
    assert.throws(() => parseGraceConfig('kernels: { My-Kernel: { module: x } }', 'f'), /snake_case id/);
    assert.throws(() => parseGraceConfig('settings: { sample: 0 }', 'f'), /duration above zero/);
    assert.throws(() => parseGraceConfig('settings: { log_max: 3 elephants }', 'f'), /a size like/);
  });
});

describe('acl.yaml', () => {
  test('what is left out is empty', () => {
    const acl = parseAcl(
      'kernels: { subscribe: { allow: ["kernel.{self}.>"] } }\nprincipals: { cli: { publish: { deny: [">"] } } }',
      'f',
    );
    assert.deepEqual(acl, {
      kernels: { publish: { allow: [], deny: [] }, subscribe: { allow: ['kernel.{self}.>'], deny: [] } },
      principals: { cli: { publish: { allow: [], deny: ['>'] }, subscribe: { allow: [], deny: [] } } },
    });
  });

  test('a pattern with ">" before its end, an empty token or a space is refused', () => {
    for (const pattern of ['a.>.b', 'a..b', 'a b', '', 'a.*x', '{other}.x']) {
      assert.throws(
        () => parseAcl(JSON.stringify({ kernels: { publish: { allow: [pattern] } }, principals: {} }), 'f'),
        /kernels\.publish\.allow\[0\]: expected/,
        pattern,
      );
    }
  });
});
