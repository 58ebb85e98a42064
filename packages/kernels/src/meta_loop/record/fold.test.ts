import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnyRecord } from '@grace/contracts';
import fc from 'fast-check';
import { type Journal, writeJournal } from '../fixtures/records.ts';
import type { Facts, IncidentFact } from './facts.ts';
import { takeRecord } from './fold.ts';
import { newFold } from './fold-state.ts';
import { restartVerdict, type Standing } from './restart-verdict.ts';

const WALL_MS = 1_790_000_000_000;

function read(records: readonly AnyRecord[], state = newFold()): Facts {
  const facts: Facts = { incidents: [], restarts: [], runs: [], readies: [] };
  for (const record of records) takeRecord(state, record, facts);
  return facts;
}

/** The last word on each incident. */
function last({ incidents }: Facts): IncidentFact[] {
  return [...new Map(incidents.map((fact) => [fact.id, fact])).values()];
}

const told = (write: (journal: Journal) => void): Facts => {
  const journal = writeJournal(WALL_MS);
  journal.boot('a', 'b');
  write(journal);
  return read(journal.records);
};

describe('the time to detect', () => {
  test('runs from the first symptom to the first detector, and the time to recover from there to the end', () => {
    const [incident] = last(
      told((journal) => journal.hang('a', { detectMs: 700, recoverMs: 300, delayMs: 90, readyMs: 60 })),
    );
    assert.deepEqual(
      [
        incident?.detectMs,
        incident?.onset,
        incident?.method,
        incident?.recoverMs,
        incident?.delayMs,
        incident?.readyMs,
      ],
      [700, 'symptom', 'probe', 300, 90, 60],
    );
  });

  test('runs from the moment a fault was seen to act, also when that was proven only afterwards', () => {
    const [incident] = last(
      told((journal) => {
        const about = { kernel: 'a', correlation: 'trial-1' };
        journal.write('fault:inject', { lease: 'l', target: 'a', kind: 'cpu_spin' }, about);
        journal.pass(100);
        const openedMono = journal.records.at(-1)!.monoMs + 100;
        const incident = { id: 'i', kind: 'kernel_hung' as const, subject: 'a', title: '', severity: 'high' as const };
        const whole = { ...incident, openedMono, escalated: false, correlation: 'trial-1' };
        journal.write('incident:open', { incident: whole }, about);
        journal.write('detector:fire', { method: 'heartbeat', incident: 'i', subject: 'a', evidence: {} }, about);
        journal.write('fault:effect', { lease: 'l', proven: true, observed: {}, atMono: openedMono - 70 }, about);
      }),
    );
    assert.deepEqual([incident?.detectMs, incident?.onset, incident?.drill], [70, 'fault', true]);
  });

  test('runs from the fault where the subject is its target and carries no correlation, and only while the fault is under way', () => {
    const facts = told((journal) => {
      const open = (id: string): void => {
        const incident = {
          id,
          kind: 'acl_violation' as const,
          subject: 'chaos_test',
          title: '',
          severity: 'low' as const,
        };
        journal.write('incident:open', { incident: { ...incident, openedMono: 1, escalated: false } });
        const data = { method: 'bus_counter' as const, incident: id, subject: 'chaos_test', evidence: {} };
        journal.write('detector:fire', data);
      };
      journal.write('fault:inject', { lease: 'l', target: 'chaos_test', kind: 'acl_spam' }, { correlation: 'trial-2' });
      journal.pass(120);
      open('during');
      journal.write('fault:undo', { lease: 'l', why: 'requested', verified: true }, { correlation: 'trial-2' });
      open('later');
    });
    assert.deepEqual(
      last(facts).map(({ id, detectMs, onset, drill }) => [id, detectMs, onset, drill]),
      [
        ['during', 120, 'fault', true],
        ['later', null, null, false],
      ],
    );
  });

  test('is not made up where nothing tells when it began', () => {
    const [incident] = last(
      told((journal) => {
        const incident = { id: 'i', kind: 'flooding' as const, subject: 'a', title: '', severity: 'low' as const };
        journal.write('incident:open', { incident: { ...incident, openedMono: 1, escalated: false } }, { kernel: 'a' });
        const data = { method: 'metric' as const, incident: 'i', subject: 'a', evidence: {} };
        journal.write('detector:fire', data, { kernel: 'a' });
      }),
    );
    assert.deepEqual([incident?.detectMs, incident?.onset], [null, null]);
  });

  test('does not begin while the kernel was starved, which is no symptom of its own', () => {
    const [incident] = last(
      told((journal) => {
        const evidence = {};
        journal.write('kernel:condition', { from: 'healthy', to: 'starved', confidence: 1, evidence }, { kernel: 'a' });
        journal.pass(5000);
        journal.hang('a', { detectMs: 200 });
      }),
    );
    assert.equal(incident?.detectMs, 200);
  });
});

describe('a restart', () => {
  test('that the record confirms is justified; one that nothing confirms is false', () => {
    const facts = told((journal) => {
      journal.hang('a', { detectMs: 300 });
      journal.crash('b');
      journal.write('kernel:restart', { cause: 'hung', attempt: 1, delayMs: 0, by: 'restart engine' }, { kernel: 'a' });
    });
    assert.deepEqual(
      facts.restarts.map(({ kernel, cause, verdict }) => [kernel, cause, verdict]),
      [
        ['a', 'probe', 'justified'],
        ['b', 'crash', 'justified'],
        ['a', 'hung', 'false'],
      ],
    );
  });

  test('of a cell-mate is justified by the end of the cell, once', () => {
    const restart = { cause: 'cell', attempt: 0, delayMs: 0, by: 'restart engine' };
    const facts = told((journal) => {
      const exit = { pid: 1, code: null, signal: 'SIGKILL', expected: false, kernels: ['a', 'b'] };
      journal.write('cell:exit', exit, { cell: 'c' });
      for (const kernel of ['a', 'b', 'a']) journal.write('kernel:restart', restart, { kernel });
    });
    assert.deepEqual(
      facts.restarts.map(({ verdict }) => verdict),
      ['justified', 'justified', 'false'],
    );
  });

  const calm: Standing = {
    ...{ known: true, condition: 'healthy', exited: false, wasRunning: true, pressed: false, cellExited: false },
    open: {},
  };

  test('of a starved kernel is false, unless its functional probe had failed', () => {
    const starved = { ...calm, condition: 'starved', open: { kernel_hung: ['heartbeat', 'metric'] } };
    assert.equal(restartVerdict('hung', starved).verdict, 'false');
    const gap = { ...starved, open: { heartbeat_gap: ['heartbeat'] } };
    assert.equal(restartVerdict('playbook', gap).verdict, 'false');
    assert.equal(restartVerdict('playbook', { ...gap, condition: 'late' }).verdict, 'justified');
    const failed = { ...starved, open: { kernel_hung: ['heartbeat', 'metric', 'probe'] } };
    assert.equal(restartVerdict('hung', failed).verdict, 'justified');
  });

  test('by one signal alone is false', () => {
    assert.equal(restartVerdict('hung', { ...calm, open: { kernel_hung: ['probe'] } }).verdict, 'false');
    assert.equal(restartVerdict('hung', { ...calm, open: { kernel_hung: ['heartbeat'] } }).verdict, 'false');
  });

  test('is ordered, or not known, where the record says that and no more', () => {
    assert.equal(restartVerdict('manual', calm).verdict, 'ordered');
    assert.equal(restartVerdict('playbook', calm).verdict, 'ordered');
    assert.equal(restartVerdict('crash', { ...calm, known: false }).verdict, 'unknown');
    assert.equal(restartVerdict('a cause of tomorrow', calm).verdict, 'unknown');
  });
});

describe('a playbook', () => {
  test('run counts once, with its end; a dry run does not', () => {
    const facts = told((journal) => {
      for (const [run, dryRun] of [
        ['r1', false],
        ['r2', true],
      ] as const) {
        journal.write('playbook:start', { run, playbook: 'p', incident: 'i', target: 'a', dryRun });
        const outcome = dryRun ? ('dry run' as const) : ('healed' as const);
        journal.write('playbook:end', { run, playbook: 'p', incident: 'i', outcome, ms: 10, detail: '' });
      }
    });
    assert.deepEqual(
      facts.runs.map(({ run, outcome }) => [run, outcome]),
      [
        ['r1', null],
        ['r1', 'healed'],
      ],
    );
  });
});

test('a journal gives the same facts read at once and in pages, the memory between them having been written and read', () => {
  const step = fc.record({
    kernel: fc.constantFrom('a', 'b', 'c'),
    what: fc.constantFrom('hang', 'crash', 'boot', 'restart', 'permit', 'revoke'),
    ms: fc.integer({ min: 1, max: 5000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 20 }), (steps, page) => {
      const journal = writeJournal(WALL_MS);
      for (const { kernel, what, ms } of steps) {
        journal.pass(ms);
        if (what === 'hang') journal.hang(kernel, { detectMs: ms });
        else if (what === 'crash') journal.crash(kernel);
        else if (what === 'boot') journal.boot('a', 'b');
        else if (what === 'restart')
          journal.write('kernel:restart', { cause: 'memory', attempt: 1, delayMs: 0, by: 'x' }, { kernel });
        else if (what === 'revoke') journal.write('drill:revoke', { id: 'd' });
        else {
          const permit = { id: 'd', holder: 'h', faults: [], untilMono: ms * 1000, issuer: 'g' };
          journal.write('drill:permit', permit);
        }
      }
      const whole = read(journal.records);
      let state = newFold();
      const paged: Facts = { incidents: [], restarts: [], runs: [], readies: [] };
      for (let at = 0; at < journal.records.length; at += page) {
        state = JSON.parse(JSON.stringify(state)) as typeof state;
        for (const record of journal.records.slice(at, at + page)) takeRecord(state, record, paged);
      }
      assert.deepEqual(paged, whole);
      for (const { detectMs, recoverMs } of whole.incidents) {
        assert.ok(detectMs === null || detectMs >= 0);
        assert.ok(recoverMs === null || recoverMs >= 0);
      }
    }),
  );
});

test('what never ends is held within bounds', () => {
  const journal = writeJournal(WALL_MS);
  journal.boot('a');
  for (let i = 0; i < 2000; i++) {
    journal.write('playbook:start', { run: `r${i}`, playbook: 'p', incident: '', target: 'a', dryRun: false });
    const about = { kernel: 'a', correlation: `c${i}` };
    journal.write('fault:inject', { lease: `l${i}`, target: 'a', kind: 'cpu_spin' }, about);
  }
  const state = newFold();
  read(journal.records, state);
  assert.ok(JSON.stringify(state).length < 300_000);
});
