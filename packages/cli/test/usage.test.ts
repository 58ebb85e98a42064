import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { grace } from './capture.ts';

describe('a command line that is not understood', () => {
  const cases: [string[], RegExp][] = [
    [['stauts'], /did you mean status/i],
    [['status', '--watchh'], /did you mean --watch/i],
    [['status', '--hom', 'x'], /did you mean --home/i],
    [['stop', '--timeout', 'soon'], /expected a duration above zero/],
    [['boot', '--only', 'a,,b'], /expected a kernel id/],
    [['call'], /missing required argument/],
    [['status', 'extra'], /too many arguments/],
    [['report', '--format', 'htm'], /expected md or json/],
    [['stress', '--waves', '0'], /whole number of at least 1/],
    [['stress', '--waves', '1.5'], /whole number/],
    [['scenario', 'lst'], /did you mean list/i],
    [[], /Usage: grace/],
    [['status', '-v', '-q'], /-v and -q contradict/],
    [['call', 'librarian', 'search', '{bad'], /is not JSON/],
  ];
  for (const [argv, message] of cases) {
    test(`grace ${argv.join(' ')} exits with 64 and says why`, async () => {
      const { code, stdout, stderr } = await grace(argv);
      assert.equal(code, 64, stderr);
      assert.match(stderr, message);
      assert.equal(stdout, '');
    });
  }

  test('under --json the complaint is one document on standard output', async () => {
    const { code, stdout } = await grace(['stauts', '--json']);
    assert.equal(code, 64);
    assert.equal(JSON.parse(stdout).error.code, 'USAGE');
  });
});

describe('help and version', () => {
  test('are results: standard output, exit 0', async () => {
    const help = await grace(['--help']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /Usage: grace/);
    const version = await grace(['--version']);
    assert.equal(version.code, 0);
    assert.match(version.stdout, /^\d+\.\d+\.\d+/);
  });

  test('every command is listed, and global options are shown with each', async () => {
    const { stdout } = await grace(['--help']);
    for (const name of 'boot status stop restart isolate logs incidents call tap publish stress report scenario log doctor'.split(
      ' ',
    )) {
      assert.match(stdout, new RegExp(`^ +${name}\\b`, 'm'));
    }
    assert.match((await grace(['stop', '--help'])).stdout, /--home/);
  });
});

describe('without a system', () => {
  for (const argv of [
    ['status'],
    ['stop'],
    ['call', 'librarian', 'search'],
    ['incidents'],
    ['restart', 'x'],
    ['tap', '>'],
    ['publish', 'a.b', '1'],
  ]) {
    test(`grace ${argv.join(' ')} exits with 1, NOT_RUNNING and a hint`, async () => {
      const { code, stdout, stderr } = await grace(argv);
      assert.equal(code, 1);
      assert.match(stderr, /NOT_RUNNING: no system is running in .*\.grace\n +start one with: grace boot/);
      assert.equal(stdout, '');
    });
  }

  test('under --json the error is one document', async () => {
    const { code, stdout } = await grace(['status', '--json']);
    assert.equal(code, 1);
    assert.equal(JSON.parse(stdout).error.code, 'NOT_RUNNING');
  });

  test('a home of a very long path is answered the same way', async () => {
    const { code, stderr } = await grace(['status', '--home', 'x'.repeat(150)]);
    assert.equal(code, 1);
    assert.match(stderr, /NOT_RUNNING/);
  });
});

describe('a configuration that is wrong', () => {
  let cwd: string;
  before(() => {
    cwd = mkdtempSync(join(tmpdir(), 'grace-cli-config-'));
  });
  after(() => rmSync(cwd, { recursive: true }));

  test('is refused with file, line and the nearest key, before anything is started', async () => {
    writeFileSync(join(cwd, 'grace.yaml'), 'kernels:\n  librarian:\n    limit: { heap: 1MB }\n');
    const { code, stderr } = await grace(['boot'], { cwd });
    assert.equal(code, 64);
    assert.match(stderr, /grace\.yaml:3:5: kernels\.librarian\.limit: .*did you mean "limits"/);
  });

  test('and one that is named and not there too', async () => {
    const { code, stderr } = await grace(['boot', '--config', 'absent.yaml'], { cwd });
    assert.equal(code, 64);
    assert.match(stderr, /CONFIG_UNREADABLE: cannot read .*absent\.yaml/);
  });
});

describe('--ascii', () => {
  test('lets no character above 127 out, in words and in JSON', async () => {
    const words = await grace(['status', '--ascii', '--home', 'häuslich–→']);
    assert.match(words.stderr, /^[\0-\x7f]*$/);
    const json = await grace(['status', '--ascii', '--json', '--home', 'häuslich–→']);
    assert.match(json.stdout, /^[\0-\x7f]*$/);
    assert.match(JSON.parse(json.stdout).error.message, /häuslich–→/);
  });
});
