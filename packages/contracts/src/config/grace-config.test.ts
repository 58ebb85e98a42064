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

  test('shares of a core, memory and what is off', () => {
    const { settings, kernels } = parseGraceConfig(
      `settings: { cell_memory: 1GiB, overload_after: 5s, overload_cpu: off, solitary: 2m }
kernels: { a: { limits: { cpu: 20%, off_heap: 64MiB } }, b: { limits: { cpu: 0.2 } }, c: { limits: { cpu: "7.5 %" } }, d: { limits: { cpu: off } } }`,
      'f',
    );
    assert.deepEqual(settings, {
      cellMemoryBytes: 1024 ** 3,
      overloadAfterMs: 5000,
      overloadCpu: null,
      solitaryMs: 120_000,
    });
    assert.deepEqual(
      Object.values(kernels).map(({ manifest }) => manifest.limits),
      [{ cpu: 0.2, externalBytes: 64 * 1024 ** 2 }, { cpu: 0.2 }, { cpu: 0.075 }, { cpu: null }],
    );
  });

  const SHARE = 'expected a share of one core from 1% to 100%, like "20%" or 0.2, or off, got';
  const HEAP = 'expected a size of at least 16MiB, like "256MiB" (units B, kB, MB, GB, KiB, MiB, GiB), got';
  for (const [limit, problem] of [
    ['cpu: 0', `${SHARE} 0`],
    ['cpu: -0.2', `${SHARE} -0.2`],
    ['cpu: 1.01', `${SHARE} 1.01`],
    ['cpu: 20', `${SHARE} 20`],
    ['cpu: 101%', `${SHARE} "101%"`],
    ['cpu: 0.5%', `${SHARE} "0.5%"`],
    ['cpu: -20%', `${SHARE} "-20%"`],
    ['cpu: 150m', `${SHARE} "150m"`],
    ['cpu: .nan', `${SHARE} NaN`],
    ['cpu: .inf', `${SHARE} Infinity`],
    ['cpu: [0.2]', `${SHARE} a list`],
    ['cpu: true', `${SHARE} true`],
    ['heap: 0', `${HEAP} 0`],
    ['heap: -1', `${HEAP} -1`],
    ['heap: 64', `${HEAP} 64`],
    ['heap: 64 MBit', `${HEAP} "64 MBit"`],
    ['heap: .nan', `${HEAP} NaN`],
  ]) {
    test(`a limit of ${limit} is refused with its place and what was expected`, () => {
      const key = limit!.split(':')[0];
      assert.throws(() => parseGraceConfig(`kernels:\n  a:\n    limits:\n      ${limit}\n`, 'grace.yaml'), {
        code: 'CONFIG_INVALID',
        message: `grace.yaml:4:${9 + key!.length}: kernels.a.limits.${key}: ${problem}`,
      });
    });
  }
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
