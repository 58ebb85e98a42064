import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import fc from 'fast-check';
import { folder, graceError, poll } from '../test/bed.ts';
import { createStore } from './store.ts';

const WRITER = new URL('../test/fixtures/writer.ts', import.meta.url).pathname;
const names = (store: ReturnType<typeof createStore>): unknown[] =>
  store.db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'kv' ORDER BY name")
    .all()
    .map(({ name }) => name);

test('migrations run once, in their order, and later ones are added to those that have run', (t) => {
  const home = folder(t);
  const first = ['CREATE TABLE a (n)', 'INSERT INTO a VALUES (1)'];
  const store = createStore(home);
  store.migrate(first);
  store.migrate(first);
  store.close();
  const again = createStore(home);
  again.migrate([...first, 'UPDATE a SET n = n + 1', 'CREATE TABLE b AS SELECT n FROM a']);
  assert.deepEqual(
    again.db
      .prepare('SELECT n FROM b')
      .all()
      .map((row) => row.n),
    [2],
  );
  assert.equal(again.db.prepare('PRAGMA user_version').get()!.user_version, 4);
  again.close();
});

test('a migration that fails leaves nothing of itself, and those before it stay', (t) => {
  const store = createStore(folder(t));
  assert.throws(
    () => store.migrate(['CREATE TABLE a (n)', 'CREATE TABLE b (n); INSERT INTO nowhere VALUES (1)']),
    /nowhere/,
  );
  assert.deepEqual(names(store), ['a']);
  store.migrate(['CREATE TABLE a (n)', 'CREATE TABLE c (n)']);
  assert.deepEqual(names(store), ['a', 'c']);
  store.close();
});

test('a migration that another opener has run meanwhile is not run again', (t) => {
  const home = folder(t);
  const migrations = ['CREATE TABLE a (n)', 'INSERT INTO a VALUES (1)'];
  const other = createStore(home);
  other.get('opened');
  const store = createStore(home);
  const exec = store.db.exec.bind(store.db);
  store.db.exec = (sql) => {
    // The moment between reading the version and holding the lock.
    if (sql === 'BEGIN IMMEDIATE') other.migrate(migrations);
    exec(sql);
  };
  store.migrate(migrations);
  assert.equal(store.db.prepare('SELECT count(*) AS n FROM a').get()!.n, 1);
  store.close();
  other.close();
});

test('a transaction that throws changes nothing, and the next one works', (t) => {
  const store = createStore(folder(t));
  store.set('a', 1);
  assert.throws(
    () =>
      store.transaction(() => {
        store.set('a', 2);
        store.set('b', 2);
        throw new Error('half way');
      }),
    /half way/,
  );
  assert.deepEqual([store.get('a'), store.get('b')], [1, undefined]);
  assert.equal(
    store.transaction(() => {
      store.set('a', 3);
      return 'value';
    }),
    'value',
  );
  assert.equal(store.get('a'), 3);
  store.close();
});

test('what ended a transaction is told, also when the database has rolled back by itself', (t) => {
  const store = createStore(folder(t));
  store.db.exec('CREATE TABLE a (n UNIQUE); INSERT INTO a VALUES (1)');
  assert.throws(
    () => store.transaction(() => store.db.exec('INSERT OR ROLLBACK INTO a VALUES (1)')),
    /UNIQUE constraint failed/,
  );
  store.close();
});

test('asynchronous work is refused as a transaction, and what it had written is rolled back', (t) => {
  const store = createStore(folder(t));
  const late = Promise.withResolvers<void>();
  assert.throws(
    () =>
      store.transaction(async () => {
        store.set('a', 1);
        await late.promise;
      }),
    graceError('BAD_INPUT', /got an async function/),
  );
  assert.equal(store.get('a'), undefined);
  late.reject(new Error('nobody waits for this'));
  store.close();
});

test('every JSON value comes back as it was set, also after the store was opened again', (t) => {
  const home = folder(t);
  const key = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', "'; DROP TABLE kv; --"));
  fc.assert(
    fc.property(key, fc.jsonValue(), (name, given) => {
      const value = JSON.parse(JSON.stringify(given));
      const store = createStore(home);
      store.set(name, 'before');
      store.set(name, value);
      assert.deepEqual(store.get(name), value);
      store.close();
      assert.deepEqual(store.get(name), value);
      store.delete(name);
      assert.equal(store.get(name), undefined);
      store.close();
    }),
    { numRuns: 30 },
  );
});

test('what JSON cannot say is refused by its key, and the value before stays', (t) => {
  const store = createStore(folder(t));
  store.set('a', 1);
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  for (const value of [undefined, () => 1, Symbol('s'), 1n, circle])
    assert.throws(() => store.set('a', value), graceError('BAD_INPUT', /store\.set\("a"\)/));
  assert.equal(store.get('a'), 1);
  store.close();
});

test('a store that nobody uses makes no file', (t) => {
  const store = createStore(folder(t));
  store.close();
  assert.throws(() => statSync(store.path), /ENOENT/);
});

test('two openers see what the other has committed', (t) => {
  const home = folder(t);
  const [a, b] = [createStore(home), createStore(home)];
  a.set('from', 'a');
  assert.equal(b.get('from'), 'a');
  b.transaction(() => b.set('from', 'b'));
  assert.equal(a.get('from'), 'b');
  a.close();
  assert.equal(b.get('from'), 'b');
  b.close();
});

test('a writer waits for another that is about to end its transaction', async (t) => {
  const home = folder(t);
  const store = createStore(home);
  store.db.exec('BEGIN IMMEDIATE');
  const writer = spawn(process.execPath, [WRITER, home, '1'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => writer.kill('SIGKILL'));
  const ended = once(writer, 'exit');
  await once(writer.stdout, 'data');
  const naps = (): number =>
    Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${writer.pid}/status`, 'latin1'))?.[1]);
  const before = naps();
  // Each look at the lock that finds it taken is followed by a nap.
  await poll('it waits, or gave up', () => writer.exitCode !== null || naps() >= before + 8);
  store.db.exec('COMMIT');
  assert.deepEqual(await ended, [0, null]);
  assert.equal(store.get('last'), 1);
  store.close();
});

test('several processes open, migrate and write the same store at once, and no row is lost', async (t) => {
  const home = folder(t);
  const exits = await Promise.all(
    [1, 2, 3].map(async () => {
      const writer = spawn(process.execPath, [WRITER, home, '5'], { stdio: ['ignore', 'ignore', 'inherit'] });
      t.after(() => writer.kill('SIGKILL'));
      const [code] = await once(writer, 'exit');
      return code;
    }),
  );
  assert.deepEqual(exits, [0, 0, 0]);
  const store = createStore(home);
  assert.deepEqual(
    { ...store.db.prepare('SELECT count(*) AS rows, max(n) AS last FROM row').get() },
    { rows: 16, last: 15 },
  );
  store.close();
});

test('what a process had committed when it was killed in the middle of writes is there, and nothing half', async (t) => {
  const home = folder(t);
  const writer = spawn(process.execPath, [WRITER, home, '1000000'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => writer.kill('SIGKILL'));
  const ended = once(writer, 'exit');
  let said = 0;
  for await (const line of createInterface({ input: writer.stdout })) {
    said = Number(line);
    if (said === 40) writer.kill('SIGKILL');
  }
  assert.deepEqual(await ended, [null, 'SIGKILL']);

  const store = createStore(home);
  const last = store.get<number>('last')!;
  assert.ok(said >= 40 && last >= said, `it said ${said}, kept are ${last}`);
  assert.deepEqual(
    { ...store.db.prepare('SELECT count(*) AS rows, max(n) AS last FROM row').get() },
    { rows: last + 1, last },
  );
  assert.equal(store.db.prepare('PRAGMA integrity_check').get()!.integrity_check, 'ok');
  store.close();
});
