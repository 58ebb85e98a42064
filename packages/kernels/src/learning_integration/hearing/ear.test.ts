import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { AnyRecord } from '@grace/contracts';
import { createStore, type KernelContext } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { supervisorOf } from '../fixtures/bench.ts';
import { journal } from '../fixtures/records.ts';
import { createHandworkBook, HANDWORK_TABLES } from '../handwork/book.ts';
import { createOutcomeBook, OUTCOME_TABLES } from '../outcomes/book.ts';
import { type Ear, openEar } from './ear.ts';

interface Hearing {
  ear: Ear;
  /** What the bus carries. */
  say(record: AnyRecord): void;
  /** message_bus goes down, or comes back. */
  bus(up: boolean): void;
  acts(): number;
  cursor(): number | null;
}

/** An ear on a real store. The bus is two functions here: the rig cannot take it away and give it back. */
async function withEar(
  records: AnyRecord[],
  body: (hearing: Hearing) => Promise<void>,
  folder = mkdtempSync(join(tmpdir(), 'grace-ear-')),
): Promise<void> {
  const store = createStore(folder);
  const end = new AbortController();
  const handlers = new Map<string, (message: { payload: unknown }) => void>();
  const supervisor = supervisorOf(records);
  let onNeed = (_need: string, _up: boolean): void => {};
  const silent = (): void => {};
  const ctx = {
    id: 'learning_integration',
    store,
    signal: end.signal,
    log: { debug: silent, info: silent, warn: silent, error: silent, trace: silent },
    supervisor: { command: async (command: never, input: unknown) => supervisor('', command, input) },
    bus: {
      subscribe: async (subject: string, handler: (message: { payload: unknown }) => void) => {
        handlers.set(subject, handler);
      },
    },
    call: async () => [],
    onNeed: (handler: typeof onNeed) => {
      onNeed = handler;
    },
  } as unknown as KernelContext;
  try {
    store.migrate([OUTCOME_TABLES + HANDWORK_TABLES]);
    const outcomes = createOutcomeBook(store, 1000);
    const handwork = createHandworkBook(store);
    const ear = openEar(ctx, { outcomes, handwork }, () => {});
    await poll('it has caught up', () => ear.status()['caughtUp'] === true);
    await body({
      ear,
      say: (record) => handlers.get(`system.events.${record.name.replace(':', '.')}`)!({ payload: record }),
      bus: (up) => onNeed('message_bus', up),
      acts: () => handwork.acts().length,
      cursor: () => ear.status()['cursor'] as number | null,
    });
    ear.flush();
  } finally {
    end.abort();
    store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('what is heard', () => {
  test('is written together after a moment, with how far it came', () =>
    withEar([], async ({ ear, say, acts, cursor }) => {
      const { hand } = journal();
      for (let i = 0; i < 10; i++) say(hand('restart', 'librarian'));
      assert.equal(ear.status()['waiting'], 10);
      assert.equal(acts(), 0);
      await poll('they are written', () => acts() === 10);
      assert.equal(cursor(), 10);
    }));

  test('never waits in larger numbers than are written together', () =>
    withEar([], async ({ ear, say, acts }) => {
      const { hand } = journal();
      for (let i = 0; i < 1700; i++) {
        say(hand('restart', 'librarian'));
        assert.ok(Number(ear.status()['waiting']) < 500);
      }
      ear.flush();
      assert.equal(acts(), 1700);
    }));

  test('while the bus was away is read from the journal when it is back, also when later records came first', async () => {
    const records: AnyRecord[] = [];
    const { hand } = journal();
    const write = (): AnyRecord => {
      const record = hand('restart', 'librarian');
      records.push(record);
      return record;
    };
    await withEar(records, async ({ ear, say, bus, acts, cursor }) => {
      say(write());
      ear.flush();
      assert.equal(cursor(), 1);
      bus(false);
      // Nobody carries these; the next comes through before the journal is read.
      for (let i = 0; i < 5; i++) write();
      say(write());
      ear.flush();
      assert.deepEqual([acts(), cursor()], [2, 1], 'the cursor stays before what was missed');
      bus(true);
      await poll('all of it', () => acts() === 7);
      await poll('the cursor', () => cursor() === 7);
    });
  });

  test('is read again below the cursor, as it may have come out of order', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'grace-ear-'));
    const { hand } = journal();
    const records = Array.from({ length: 20 }, () => hand('restart', 'librarian'));
    const store = createStore(folder);
    store.set('journal.cursor', 20);
    store.close();
    await withEar(records, async ({ acts }) => assert.equal(acts(), 20), folder);
  });

  test('in a journal that was begun anew is read from its beginning', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'grace-ear-'));
    const { hand } = journal();
    const records = Array.from({ length: 2500 }, () => hand('restart', 'librarian'));
    const store = createStore(folder);
    store.set('journal.cursor', 900_000);
    store.close();
    await withEar(
      records,
      async ({ acts, cursor }) => {
        assert.equal(acts(), 2000, 'as many as are kept');
        assert.equal(cursor(), 2500);
      },
      folder,
    );
  });
});
