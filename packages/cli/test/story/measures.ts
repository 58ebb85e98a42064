import assert from 'node:assert/strict';
import { WORKER } from '../written-journal.ts';
import { type Case, hang, has, hasNot, texts } from './case.ts';

/** What was done about an incident, and by whom. */
export const measures: Case[] = [
  {
    name: 'a quarantine begins with the first of the restarts that used up the budget',
    write(journal) {
      journal.at(90, 'kernel:ready', { readyMs: 80, probe: {} }, WORKER);
      for (const ms of [20_000, 40_000, 60_000]) {
        journal.at(
          ms,
          'kernel:exit',
          { code: 1, expected: false, error: { code: 'KERNEL_START', message: 'no' } },
          WORKER,
        );
        if (ms < 60_000)
          journal.at(ms, 'kernel:restart', { cause: 'start', attempt: 1, delayMs: 100, by: 'restart engine' }, WORKER);
      }
      journal.at(60_000, 'kernel:quarantine', { restarts: 2, windowMs: 60_000, cause: 'start' }, WORKER);
      journal.open(60_000, { id: 'x', kind: 'quarantine', subject: 'worker', cell: 'user' }, WORKER);
      journal.at(60_000, 'incident:escalate', { id: 'x', reason: 'worker used up 2 restarts' }, { kernel: 'worker' });
    },
    check({ tried, cause, incident }) {
      assert.match(tried[0]!.text, /the thread of worker ended by itself/);
      assert.equal(tried[0]!.atMs, -40_000);
      assert.equal(texts(tried).filter((text) => /^restart of worker after 100 ms of back-off/.test(text)).length, 2);
      has(cause.established, /each time the same error: KERNEL_START: no/);
      assert.equal(incident.escalated, true);
    },
  },
  {
    name: 'a quarantine by hand is told as the order it was',
    write(journal) {
      journal.at(4990, 'kernel:hand', { order: 'quarantine', by: 'cli', reason: 'it smells' }, WORKER);
      journal.at(5000, 'kernel:quarantine', { restarts: 0, windowMs: 60_000, cause: 'quarantine' }, WORKER);
      journal.open(5000, { id: 'x', kind: 'quarantine', subject: 'worker', cell: 'user' }, WORKER);
    },
    check({ cause, ruledOut }) {
      assert.deepEqual(texts(cause.established), ['cli ordered it by hand: quarantine (it smells)']);
      hasNot(ruledOut, /by hand/);
    },
  },
  {
    name: 'overload is held back, and the limit is lifted after the end',
    write(journal) {
      journal.open(5000, { id: 'x', kind: 'cpu_overload', subject: 'worker', cell: 'user' }, WORKER);
      journal.at(5001, 'kernel:limit', { cpu: 0.5, method: 'inspector', why: 'overload', by: 'supervisor' }, WORKER);
      journal.at(9000, 'incident:close', { id: 'x', outcome: 'calm' }, { kernel: 'worker' });
      journal.at(9001, 'kernel:limit', { cpu: null, method: 'inspector', why: 'overload', by: 'supervisor' }, WORKER);
      journal.at(9002, 'kernel:state', { from: 'running', to: 'draining', reason: 'something else' }, WORKER);
    },
    check({ tried }) {
      assert.deepEqual(texts(tried), [
        'worker was held to 50 % of a core by pausing and resuming its thread, for overload (supervisor)',
        'the CPU limit of worker was lifted',
      ]);
    },
  },
  {
    name: 'a playbook is told step by step',
    write(journal) {
      hang(journal);
      journal.at(5010, 'playbook:start', {
        run: 'r',
        playbook: 'restart-it',
        incident: 'x',
        target: 'worker',
        dryRun: false,
      });
      journal.at(5020, 'playbook:step', { run: 'r', step: 'restart', ok: true, ms: 9, detail: 'done' });
      journal.at(5020, 'playbook:step', { run: 'other', step: 'never', ok: true, ms: 9, detail: 'not ours' });
      journal.at(5030, 'playbook:end', {
        run: 'r',
        playbook: 'restart-it',
        incident: 'x',
        outcome: 'healed',
        ms: 20,
        detail: 'fine',
      });
    },
    check({ tried }) {
      assert.deepEqual(texts(tried), [
        'playbook restart-it began',
        'playbook step restart: done in 9 ms: done',
        'playbook restart-it ended: healed: fine',
      ]);
    },
  },
  {
    name: 'who published what it may not is told with the mute',
    write(journal) {
      journal.open(5000, { id: 'x', kind: 'acl_violation', subject: 'stranger' });
      journal.at(5000, 'detector:fire', {
        method: 'bus_counter',
        incident: 'x',
        subject: 'stranger',
        evidence: { denied: 300 },
      });
      journal.at(5001, 'bus:muted', { principal: 'stranger', periodMs: 2000, denied: 300 });
    },
    check({ tried, cause }) {
      has(tried, /stranger was muted for 2\.0 s after 300 denied messages/);
      has(cause.established, /stranger sent more, or other, messages than it may: denied 300/);
    },
  },
];
