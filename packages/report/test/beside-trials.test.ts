import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { section } from './read-markdown.ts';
import { report } from './reported.ts';
import { KERNELS } from './run-fixture.ts';

describe('phase 3', () => {
  test('is one sentence among the untested while there is no coding agent', () => {
    const { markdown } = report();
    assert.doesNotMatch(markdown, /### Phase 3/);
    assert.match(markdown, /Phase 3, auto-fix testing: this system has no coding agent/);
  });

  test('appears when the coding agent is among the kernels', () => {
    const { markdown } = report({ kernels: [...KERNELS, ['coding_agent', 'repair']] });
    assert.match(markdown, /### Phase 3: auto-fix/);
    assert.match(markdown, /\*\*Auto-fix tasks\*\* \| not recorded/);
  });
});

describe('what the system did beside restarts, and what it kept', () => {
  const { markdown, seq, json } = report({ reacts: true });
  const trial = section(markdown, '##### S01');

  test('limits are told with what enforced them, and when they were lifted', () => {
    assert.match(
      trial,
      new RegExp(`librarian held to 50 % of a core for overload, enforced by inspector \\(#${seq.limit}\\)`),
    );
    assert.match(trial, new RegExp(`librarian: CPU limit lifted \\(#${seq.lift}\\)`));
  });

  test('memory that ran short is told with its figures, of the kernels of the trial alone', () => {
    const line = `Memory: librarian: heap memory 220 MiB of 256 MiB \\(85.9 %\\), growing 40 MiB a second \\(#${seq.pressure}\\)`;
    assert.match(trial, new RegExp(line));
    assert.doesNotMatch(trial, /trigger_mesh: heap/);
  });

  test('a stack is shown by its first frames, and its file is named', () => {
    assert.match(
      trial,
      new RegExp(`Kept: stack of \`librarian\`, 1,234 bytes in \`evidence/i-1/stack.txt\` \\(#${seq.stack}\\)`),
    );
    assert.match(trial, /- `endlessLoop faults.ts:10:3`\n/);
    assert.match(trial, /2 more in the file/);
  });

  test('the rungs beyond the thread are told in their order', () => {
    const rungs = new RegExp(
      `Beyond the thread:\n +- librarian: terminate did not return \\(#${seq.stuck}\\)\n +- librarian moved from work to solo_librarian \\(solitary\\) \\(#${seq.move}\\)`,
    );
    assert.match(trial, rungs);
  });

  test('damage to a record is told by its kind and place, and with what became of it', () => {
    const lines = new RegExp(
      `Record:\n +- 1 flaw in the record immutable_log: checksum in 0+1.segment at byte 900 \\(record 21\\) \\(#${seq.damaged}\\)\n +- record immutable_log restored by self\\\\?_healing in 41 ms, 0+1.segment made again; epoch 2, 0 entries lost, 0 disputed \\(#${seq.repaired}\\)`,
    );
    assert.match(trial.replaceAll('\\_', '_'), lines);
  });

  test('work that piled up is told with how much and for how long, and when it was gone', () => {
    const lines =
      /Backlog:\n +- 1,200 messages wait for flood_consumer\/drill, the oldest for 2.5 s \(#\d+\)\n +- the backlog of flood_consumer\/drill is gone/;
    assert.match(trial.replaceAll('\\_', '_'), lines);
  });

  test('report.json has all of it, file by file', () => {
    const { reaction } = json.waves[0].trials[0];
    assert.deepEqual(
      reaction.kept.map((file: { file: string; top: string[] }) => [file.file, file.top.length]),
      [['evidence/i-1/stack.txt', 7]],
    );
    assert.deepEqual([reaction.limits.length, reaction.pressure.length, reaction.ladder.length], [2, 1, 2]);
  });

  test('a trial in which nothing of this happened says nothing of it', () => {
    const plain = section(report().markdown, '##### S01');
    assert.doesNotMatch(plain, /Limits|Memory:|Kept|Beyond the thread|Record:|Backlog:/);
  });

  test('they stand in the chain from the injection', () => {
    const links = json.waves[0].trials[0].chain.map((step: { ref: string }) => step.ref);
    for (const name of ['limit', 'pressure', 'stack', 'move', 'damaged', 'repaired', 'backlog'])
      assert.ok(links.includes(`#${seq[name]}`), name);
  });
});

describe('the limits of the machine', () => {
  const boot = (enforcement?: { cpu: string; memory: string }) =>
    section(report(enforcement ? { enforcement } : {}).markdown, '### Phase 1');

  test('are told by their method, or called not recorded', () => {
    assert.match(
      boot({ cpu: 'cgroup2', memory: 'watched' }),
      /\*\*Limits:\*\* CPU by cgroup2; memory watched \(#1\)\./,
    );
    assert.match(boot(), /\*\*Limits:\*\* not recorded/);
  });

  test('that nothing enforces are called that', () => {
    assert.match(
      boot({ cpu: 'none', memory: 'none' }),
      /not enforced on this machine: CPU and memory; CPU not enforced; memory not enforced/,
    );
  });
});
