import assert from 'node:assert/strict';
import { WORKER } from '../written-journal.ts';
import { type Case, hang, has, hasNot } from './case.ts';

/** Where a story begins and ends. */
export const bounds: Case[] = [
  {
    name: 'a supervisor that was lost meanwhile cuts nothing off: its successor goes on',
    write(journal) {
      hang(journal);
      journal.at(6000, 'system:boot', {
        pid: 2,
        version: '0.1.0',
        node: '26',
        cores: 2,
        armed: false,
        kernels: [],
        safeguards: { heartbeatDetector: true, mute: true, restartEngine: true },
      });
      journal.at(6001, 'system:adopt', {
        pid: 2,
        formerPid: 1,
        awayMs: 400,
        cells: ['user'],
        kernels: ['worker', 'mate'],
        dropped: 3,
      });
      journal.at(7000, 'incident:close', { id: 'x', outcome: 'its heartbeat is back' }, { kernel: 'worker' });
    },
    check({ state, tried }) {
      assert.equal(state, 'closed');
      has(
        tried,
        /the supervisor was lost; a new one took over 2 kernels after 400 ms; 3 things that happened meanwhile are not in the journal/,
      );
    },
  },
  {
    name: 'a new boot cuts it off, and what comes after is not part of it',
    write(journal) {
      hang(journal);
      journal.at(6000, 'system:boot', {
        pid: 2,
        version: '0.1.0',
        node: '26',
        cores: 2,
        armed: false,
        kernels: [],
        safeguards: { heartbeatDetector: true, mute: true, restartEngine: true },
      });
      journal.at(6050, 'kernel:ready', { readyMs: 80, probe: {} }, WORKER);
    },
    check({ state, ending, tried }) {
      assert.equal(state, 'cut off');
      has(ending, /cut off by a new boot; how it would have ended is not established/);
      assert.deepEqual(tried, []);
    },
  },
  {
    name: 'an incident that is open says so, and where its kernel stands',
    write(journal) {
      hang(journal);
      journal.at(5100, 'kernel:state', { from: 'running', to: 'stopping', reason: 'hung' }, WORKER);
    },
    check({ state, ending, lastedMs }) {
      assert.deepEqual([state, lastedMs], ['open', null]);
      has(ending, /still open at the end of the record; worker is stopping/);
    },
  },
  {
    name: 'what happened to the kernel before it was last well is another story',
    write(journal) {
      journal.at(4000, 'kernel:exit', { code: 1, expected: false }, WORKER);
      journal.at(4100, 'kernel:ready', { readyMs: 80, probe: {} }, WORKER);
      hang(journal);
    },
    check: ({ tried }) => hasNot(tried, /ended by itself/),
  },
];
