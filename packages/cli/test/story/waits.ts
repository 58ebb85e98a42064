import assert from 'node:assert/strict';
import { WORKER } from '../written-journal.ts';
import { type Case, hang, has, hasNot, SPINNING } from './case.ts';

/** Why a thread did not run: what the record shows of the kernel, the machine and the supervisor. */
export const waits: Case[] = [
  {
    name: 'a kept stack gives the place, and the reason stays not established',
    write(journal) {
      hang(journal);
      journal.at(
        5020,
        'kernel:evidence',
        {
          kind: 'stack',
          incident: 'x',
          file: 'evidence/stack-1.json',
          bytes: 900,
          top: ['spin (src/loop.ts:7:3)', 'start (src/loop.ts:2:1)'],
        },
        WORKER,
      );
    },
    check({ cause, evidence, tried }) {
      has(cause.established, /the place: spin \(src\/loop\.ts:7:3\)/);
      has(cause.notEstablished, /why the code there does not end/);
      assert.equal(evidence[0]!.file, 'evidence/stack-1.json');
      has(tried, /kept for looking at: stack of worker, evidence\/stack-1\.json/);
    },
  },
  {
    name: 'a run-queue delay that was not measured is no exoneration from starvation',
    write: (journal) =>
      hang(journal, { heartbeatAgeMs: 600, elu: 1, missed: { forMs: 400, cpuMs: null, runDelayMs: null } }),
    check({ ruledOut, cause }) {
      hasNot(ruledOut, /not starved/);
      has(cause.notEstablished, /whether it was starved/);
    },
  },
  {
    name: 'a thread that waited most of the time is not said to be not starved',
    write: (journal) =>
      hang(journal, { heartbeatAgeMs: 900, elu: 1, missed: { forMs: 800, cpuMs: 300, runDelayMs: 480 } }),
    check: ({ ruledOut }) => hasNot(ruledOut, /not starved/),
  },
  {
    name: 'a machine that was full is told, however long before that began, and not ruled out',
    write(journal) {
      journal.open(100, { id: 'full', kind: 'cpu_saturation', subject: 'machine' });
      for (let n = 0; n < 50; n++) journal.at(200 + n, 'system:lag', { lagMs: 300 });
      journal.at(
        40_000,
        'kernel:condition',
        { from: 'healthy', to: 'spinning', confidence: 0.8, evidence: SPINNING },
        WORKER,
      );
      journal.open(40_000, { id: 'x', kind: 'kernel_hung', subject: 'worker', cell: 'user' }, WORKER);
    },
    check({ ruledOut, judged }) {
      hasNot(ruledOut, /full machine/);
      has(judged, /every core of the machine was busy at that time \(incident full\)/);
    },
  },
  {
    name: 'a full machine that was over before is ruled out',
    write(journal) {
      journal.open(100, { id: 'full', kind: 'cpu_saturation', subject: 'machine' });
      journal.at(900, 'incident:close', { id: 'full', outcome: 'cores are free again' });
      hang(journal);
    },
    check: ({ ruledOut }) => void has(ruledOut, /not a full machine/),
  },
  {
    name: 'a late supervisor is not ruled out',
    write(journal) {
      journal.at(4000, 'system:lag', { lagMs: 800 });
      hang(journal);
    },
    check({ ruledOut, cause }) {
      hasNot(ruledOut, /late observer/);
      has(cause.notEstablished, /the supervisor's own lateness of 800 ms/);
    },
  },
];
