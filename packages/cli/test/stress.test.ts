import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { poll } from '@grace/testkit';
import { Bench } from './command.ts';
import { type StressDocument, verdictsOf } from './verdicts.ts';

// Whether a trial holds is for the laboratory's own tests to say: these ask that the command keeps its promises whatever comes out.
describe('grace stress', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.clear());

  const reports = (): string[] => readdirSync(join(bench.cwd, 'stress-reports'));
  const homes = (): string[] => readdirSync(bench.home).filter((name) => name.startsWith('stress-'));

  test('reports what it did, exits with the code of the report, and leaves nothing running', async () => {
    const { code, stdout, stderr } = await bench.run(
      'stress',
      '--waves',
      '1',
      '--scenarios',
      'S01',
      '--seed',
      '7',
      '--json',
    );
    assert.notEqual(stdout, '', `exit ${code} and no document: ${stderr.replaceAll('\n', ' ')}`);
    const document = JSON.parse(stdout);
    const verdicts = (document as StressDocument).waves.flatMap(({ trials }) => trials.map(({ verdict }) => verdict));
    const due = verdicts.includes('broken') ? 1 : verdicts.every((verdict) => verdict === 'held') ? 0 : 2;
    assert.deepEqual([verdicts.length, document.exit.code, code], [1, due, due], verdictsOf(document));
    assert.equal(document.run.seed, 7);
    assert.deepEqual(document.left, []);
    assert.deepEqual([bench.processes(), homes()], [[], []]);

    const [name] = reports();
    const folder = join(bench.cwd, 'stress-reports', name!);
    assert.equal(document.path, folder);
    assert.match(readFileSync(join(folder, 'report.md'), 'utf8'), /grace stress --waves 1 --seed 7 --scenarios S01/);
    const again = await bench.run('report');
    assert.equal(again.stdout, readFileSync(join(folder, 'report.md'), 'utf8'));
    const listed = await bench.json<{ name: string; exit: number }[]>('report', 'list');
    assert.deepEqual(
      listed.map((run) => [run.name, run.exit]),
      [[name, code]],
    );
  });

  test('interrupted, undoes, reports and exits with 130', async () => {
    const run = bench.start('stress', '--scenarios', 'S01');
    await poll('the run is under way', () => /^wave 1/m.test(run.output()), { deadlineMs: 60_000 });
    run.child.kill('SIGINT');
    const { code, stdout } = await run.ended;
    assert.equal(code, 130);
    assert.match(stdout, /report: stress-reports/);
    assert.deepEqual([bench.processes(), homes()], [[], []]);
  });

  test('killed, is cleaned up after by --abort; meanwhile a second run is refused', async () => {
    const run = bench.start('stress', '--scenarios', 'S01');
    await poll('the run is under way', () => /^wave 1/m.test(run.output()), { deadlineMs: 60_000 });
    const second = await bench.run('stress', '--scenarios', 'S01');
    assert.equal(second.code, 1);
    assert.match(second.stderr, /CONFLICT: run \w+ is under way/);
    run.child.kill('SIGKILL');
    await run.ended;
    assert.ok(bench.processes().length > 0);
    const abort = await bench.run('stress', '--abort');
    assert.equal(abort.code, 0, abort.stderr);
    assert.deepEqual(bench.processes(), []);
    assert.match((await bench.run('stress', '--abort')).stderr, /NOT_RUNNING: no run is under way/);
  });

  test('a scenario that is wrong is refused before anything is booted', async () => {
    writeFileSync(join(bench.cwd, 'S99_mine.yaml'), 'id: S99_mine\ntitel: x\n');
    const { code, stderr } = await bench.run('stress', '--scenarios', 'S99_mine.yaml');
    assert.equal(code, 64);
    assert.match(stderr, /SCENARIO_INVALID: .*S99_mine\.yaml:2:1: titel: .*did you mean "title"/s);
    assert.equal(existsSync(bench.home), false);
  });

  test('--attach is refused where nothing is armed, and by a system that is not', async () => {
    assert.match((await bench.run('stress', '--attach', '--scenarios', 'S01')).stderr, /NOT_RUNNING/);
    assert.equal((await bench.run('boot', '--detach', '--only', 'scheduler')).code, 0);
    const { code, stderr } = await bench.run('stress', '--attach', '--scenarios', 'S01');
    assert.match(stderr, /NOT_ARMED/);
    assert.equal(code, 1);
    assert.equal((await bench.run('status')).code, 0);
    assert.equal((await bench.run('stop')).code, 0);
  });
});
