import assert from 'node:assert/strict';
import { FAR, MATE, WORKER } from '../written-journal.ts';
import { type Case, hang, has, hasNot, SPINNING, texts } from './case.ts';

/** What a story says the cause was, and what it leaves open. */
export const causes: Case[] = [
  {
    name: 'of a drill, the fault is the cause when its own probe has proven that it acted',
    write(journal) {
      journal.at(4800, 'fault:inject', { lease: 'L1', target: 'worker', kind: 'cpu_spin' }, { correlation: 'c1' });
      journal.at(4900, 'fault:effect', { lease: 'L1', proven: true, observed: {}, atMono: 1 }, { correlation: 'c1' });
      hang(journal, SPINNING, 'c1');
    },
    check({ ruledOut, cause, tried }) {
      hasNot(ruledOut, /no drill/);
      assert.deepEqual(texts(cause.established), [
        'a drill injected cpu_spin into worker (lease L1), and its own probe has proven that it acted',
      ]);
      has(tried, /a drill injected cpu_spin into worker on purpose/);
    },
  },
  {
    name: 'of a drill whose effect was not proven, the fault is not the established cause',
    write(journal) {
      journal.at(4800, 'fault:inject', { lease: 'L1', target: 'worker', kind: 'cpu_spin' }, { correlation: 'c1' });
      journal.at(4900, 'fault:effect', { lease: 'L1', proven: false, observed: {}, atMono: 1 }, { correlation: 'c1' });
      hang(journal, SPINNING, 'c1');
    },
    check({ cause }) {
      hasNot(cause.established, /drill/);
      has(cause.notEstablished, /the drill as the reason/);
    },
  },
  {
    name: 'the error that ended a thread is the cause of a crash',
    write(journal) {
      const exit = { code: 1, expected: false, error: { code: 'KERNEL_GONE' as const, message: 'boom' } };
      journal.at(5000, 'kernel:exit', exit, WORKER);
      journal.open(5000, { id: 'x', kind: 'kernel_crash', subject: 'worker', cell: 'user' }, WORKER);
    },
    check({ cause, ruledOut }) {
      has(cause.established, /an error nobody caught ended the thread: KERNEL_GONE: boom/);
      has(ruledOut, /not an order of the supervisor/);
    },
  },
  {
    name: 'a SIGKILL that the supervisor did not send has no established sender',
    write(journal) {
      journal.at(
        5000,
        'cell:exit',
        { pid: 7, code: null, signal: 'SIGKILL', expected: false, kernels: ['worker', 'mate'] },
        { cell: 'user' },
      );
      journal.open(5000, { id: 'x', kind: 'cell_crash', subject: 'user' }, { cell: 'user' });
      for (const kernel of [WORKER, MATE])
        journal.at(5000, 'kernel:state', { from: 'running', to: 'backoff', reason: 'its cell user ended' }, kernel);
      journal.at(5001, 'kernel:state', { from: 'running', to: 'draining', reason: 'restart asked by cli' }, FAR);
      journal.at(5200, 'kernel:state', { from: 'probing', to: 'running', reason: 'ok' }, { ...WORKER, incarnation: 2 });
    },
    check({ cause, others, ruledOut }) {
      assert.deepEqual(cause.established, []);
      has(cause.notEstablished, /who sent SIGKILL/);
      has(ruledOut, /not an order of the supervisor/);
      assert.deepEqual(
        others.map(({ kernel, forMs, linked }) => [kernel, forMs, linked]),
        [
          ['worker', 200, true],
          ['mate', null, true],
          ['far', null, false],
        ],
      );
    },
  },
  {
    name: 'what the kernels of a cell met before their cell ended is no part of the end of the cell',
    write(journal) {
      journal.at(80, 'cell:online', { pid: 7, ms: 80 }, { cell: 'user' });
      journal.at(1000, 'kernel:condition', { from: 'healthy', to: 'spinning', confidence: 0.9, evidence: {} }, WORKER);
      journal.at(1010, 'kernel:state', { from: 'running', to: 'stopping', reason: 'hung' }, WORKER);
      journal.at(1200, 'kernel:state', { from: 'probing', to: 'running', reason: 'ok' }, { ...WORKER, incarnation: 2 });
      journal.at(
        5000,
        'cell:exit',
        { pid: 7, code: null, signal: 'SIGSEGV', expected: false, kernels: ['worker', 'mate'] },
        { cell: 'user' },
      );
      journal.open(5000, { id: 'x', kind: 'cell_crash', subject: 'user' }, { cell: 'user' });
      journal.at(5000, 'kernel:state', { from: 'running', to: 'backoff', reason: 'its cell user ended' }, MATE);
      journal.at(5001, 'incident:close', { id: 'x', outcome: 'ready' });
      journal.at(5300, 'kernel:state', { from: 'probing', to: 'running', reason: 'ok' }, { ...MATE, incarnation: 2 });
    },
    check({ tried, others, cause }) {
      assert.equal(tried.length, 1, texts(tried).join());
      assert.deepEqual(
        others.map(({ kernel, forMs }) => [kernel, forMs]),
        [['mate', 300]],
      );
      has(cause.established, /the process ended with SIGSEGV/);
      has(cause.notEstablished, /which of its kernels did that/);
    },
  },
  {
    name: 'a heartbeat that stopped while the loop turned has no established cause',
    write(journal) {
      const evidence = { heartbeatAgeMs: 600, elu: 0.02, missed: { forMs: 400, cpuMs: 4, runDelayMs: 1 } };
      journal.open(5000, { id: 'x', kind: 'heartbeat_gap', subject: 'worker', cell: 'user' }, WORKER);
      journal.at(5000, 'detector:fire', { method: 'heartbeat', incident: 'x', subject: 'worker', evidence }, WORKER);
    },
    check({ cause, ruledOut }) {
      assert.deepEqual(cause.established, []);
      has(cause.notEstablished, /the event loop turned/);
      has(ruledOut, /not a held event loop/);
    },
  },
  {
    name: 'memory: what was asked, the restart at the limit, and where it was allocated',
    write(journal) {
      const pressure = { of: 'external' as const, bytes: 215e6, limitBytes: 256e6, ratio: 0.84 };
      journal.open(5000, { id: 'x', kind: 'memory_pressure', subject: 'worker', cell: 'user' }, WORKER);
      journal.at(
        5000,
        'detector:fire',
        {
          method: 'metric',
          incident: 'x',
          subject: 'worker',
          evidence: { ...pressure, bytesPerSecond: 40e6, msToLimit: 1000 },
        },
        WORKER,
      );
      journal.at(5000, 'kernel:pressure', { ...pressure, bytesPerSecond: 40e6 }, WORKER);
      journal.at(6000, 'kernel:pressure', { ...pressure, bytes: 256e6, ratio: 1, bytesPerSecond: 40e6 }, WORKER);
      journal.at(6000, 'kernel:state', { from: 'running', to: 'draining', reason: 'external memory at 100 %' }, WORKER);
      journal.at(
        6100,
        'kernel:evidence',
        { kind: 'heap_profile', incident: 'x', file: 'evidence/h.json', bytes: 9, top: ['90 MB keep (src/a.ts:1:1)'] },
        WORKER,
      );
    },
    check({ seen, tried, cause }) {
      has(seen, /metrics: external 215 MB of 256 MB \(84 %\), growing 40\.0 MB a second, at its limit in 1\.0 s$/);
      has(tried, /asked to give memory back: external 215 MB of 256 MB/);
      has(tried, /at its memory limit: external 256 MB of 256 MB/);
      has(cause.established, /the place: 90 MB keep/);
    },
  },
];
