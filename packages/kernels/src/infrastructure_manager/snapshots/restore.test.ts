import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStore } from '@grace/kernel-sdk';
import { folderOf } from '../../governance/fixtures/governance-rig.ts';
import { type Answer, plantState, valueIn, withBench } from '../fixtures/bench.ts';

const WRITER = fileURLToPath(new URL('../fixtures/writes-for-ever.ts', import.meta.url));
const ACTOR = fileURLToPath(new URL('../fixtures/acts-for-ever.ts', import.meta.url));

const start = (fixture: string, given: string[], env: NodeJS.ProcessEnv = {}) =>
  spawn(process.execPath, [fixture, ...given], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });

describe('a store under a living writer', () => {
  test('is copied as it was at one moment, and the writer goes on', { timeout: 60_000 }, () =>
    withBench(async (bench) => {
      const dir = join(bench.state, 'writer');
      mkdirSync(dir);
      const writer = start(WRITER, [dir]);
      try {
        await once(writer.stdout, 'data');
        const seen: number[] = [];
        for (let i = 0; i < 6; i++) {
          const { id } = await bench.call('snapshot', { items: ['state/writer'] });
          const { items } = await bench.call('restore', { snapshot: id, item: 'state/writer', beside: true });
          const db = new DatabaseSync(items[0].path, { readOnly: true });
          const number = (sql: string): number => Number(Object.values(db.prepare(sql).get()!)[0]);
          assert.equal(number("SELECT sum(amount) FROM accounts WHERE name <> 'moves'"), 1000);
          const moves = number("SELECT amount FROM accounts WHERE name = 'moves'");
          assert.equal(number('SELECT count(*) FROM moves'), moves);
          assert.equal(db.prepare('PRAGMA integrity_check').get()!['integrity_check'], 'ok');
          db.close();
          seen.push(moves);
        }
        assert.ok(
          seen.every((moves, i) => i === 0 || moves > seen[i - 1]!),
          `the writer went on: ${seen}`,
        );
        assert.equal(writer.exitCode, null);
      } finally {
        writer.kill('SIGKILL');
        await once(writer, 'close');
      }
    }),
  );
});

describe('a restore of state', () => {
  test('waits until its kernel is down, and takes nothing over from the log beside it', () =>
    withBench(async (bench) => {
      plantState(bench.state, 'old');
      const { id } = await bench.call('snapshot');
      const path = join(bench.state, 'scheduler', 'store.sqlite');
      const living = createStore(dirname(path));
      living.set('value', 'new');
      const asked = { snapshot: id, item: 'state/scheduler' };
      await assert.rejects(bench.call('restore', asked), {
        code: 'CONFLICT',
        message: /scheduler is not down.*grace pause/,
      });
      for (const state of ['starting', 'backoff', 'waiting', 'draining']) {
        bench.states['scheduler'] = state;
        await assert.rejects(bench.call('restore', asked), { code: 'CONFLICT' });
      }
      assert.equal(living.get('value'), 'new');
      const beside = await bench.call('restore', { ...asked, beside: true });
      assert.equal(valueIn(beside.items[0].path), 'old');
      assert.equal(valueIn(path), 'new');
      assert.ok(existsSync(`${path}-wal`), 'as a killed kernel leaves it');
      bench.states['scheduler'] = 'stopped';
      const restored = await bench.call('restore', asked);
      assert.deepEqual(restored.startedMeanwhile, []);
      assert.equal(living.get('value'), 'old', 'one transaction, for whoever still has it open');
      living.close();
      assert.equal(valueIn(path), 'old');
      assert.ok(readdirSync(join(bench.state, 'scheduler')).every((name) => !name.includes('restoring')));
    }));

  test('overwrites a damaged store, and keeps what was there', () =>
    withBench(async (bench) => {
      plantState(bench.state, 'kept');
      await bench.call('snapshot');
      bench.states['scheduler'] = 'quarantined';
      const path = join(bench.state, 'scheduler', 'store.sqlite');
      for (const damage of ['all of it', 'the middle', 'nothing left', 'gone'] as const) {
        const bytes = readFileSync(path);
        if (damage === 'gone') rmSync(path);
        else writeFileSync(path, damage === 'nothing left' ? '' : bytes.fill(7, damage === 'the middle' ? 4096 : 0));
        const { replaced } = await bench.call('restore', { item: 'state/scheduler' });
        assert.equal(valueIn(path), 'kept', damage);
        if (damage === 'all of it')
          assert.deepEqual(readFileSync(join(replaced, 'state/scheduler/store.sqlite')), bytes);
      }
    }));

  test('gives a closed vault back byte for byte, and for its owner alone', () =>
    withBench(async (bench) => {
      plantState(bench.state, 'a');
      const path = join(bench.state, 'secret_manager', 'vault', 'vault');
      const before = readFileSync(path);
      await bench.call('snapshot');
      rmSync(path);
      await bench.call('restore', { item: 'state/secret_manager/vault/vault' });
      assert.deepEqual(readFileSync(path), before);
      assert.equal(statSync(path).mode & 0o777, 0o600);
    }));
});

describe('a restore asks first', () => {
  test('operators restore, repairers no state by themselves, others nothing; and then nothing has changed', () =>
    withBench(async (bench) => {
      plantState(bench.state, 'old');
      bench.states['scheduler'] = 'stopped';
      await bench.call('snapshot');
      plantState(bench.state, 'new');
      bench.write('model.bin', 'new');
      const state = { item: 'state/scheduler' };
      await assert.rejects(bench.call('restore', state, 'self_healing'), {
        code: 'APPROVAL_NEEDED',
        message: /state_is_restored_by_a_person/,
      });
      for (const principal of ['librarian', 'chaos_test', 'sandbox', 'nobody_known'])
        await assert.rejects(bench.call('restore', { item: 'artefact/model' }, principal), { code: 'FORBIDDEN' });
      assert.equal(bench.read('model.bin'), 'new');
      assert.equal(valueIn(join(bench.state, 'scheduler', 'store.sqlite')), 'new');
      const { decision } = await bench.call('restore', { item: 'artefact/model' }, 'self_healing');
      assert.match(decision, /^dec-/);
      await bench.call('restore', state, 'cli');
      assert.equal(valueIn(join(bench.state, 'scheduler', 'store.sqlite')), 'old');
    }));

  test('a request for approval stands where one is needed', () =>
    withBench(
      async (bench) => {
        await bench.call('snapshot');
        await assert.rejects(bench.call('restore', { item: 'artefact' }), {
          code: 'APPROVAL_NEEDED',
          message: /request apr-/,
        });
      },
      {
        own: folderOf({
          'mine.cedar':
            '@id("asked") forbid (principal, action == Action::"restore_snapshot", resource) unless { context.approved };',
        }),
      },
    ));

  test('and does nothing when governance cannot be asked', () =>
    withBench(
      async (bench) => {
        await bench.call('snapshot');
        bench.write('model.bin', 'new');
        await assert.rejects(bench.call('restore', { item: 'artefact' }), { code: 'GOVERNANCE_UNREACHABLE' });
        assert.equal(bench.read('model.bin'), 'new');
      },
      { governed: false },
    ));
});

describe('what is refused', () => {
  test('wrong input, each with a code and the nearest name', () =>
    withBench(async (bench) => {
      await bench.call('snapshot');
      const refusals: [string, unknown, string, RegExp][] = [
        ['restore', {}, 'BAD_INPUT', /a snapshot, an item, or both/],
        ['restore', { snapshot: 7 }, 'BAD_INPUT', /input\.snapshot/],
        ['restore', { snapshot: '../../etc' }, 'BAD_INPUT', /the id of a snapshot/],
        ['restore', { snapshot: 'snap-2' }, 'NOT_FOUND', /did you mean "snap-1"/],
        ['restore', { item: 'artefact/modle' }, 'NOT_FOUND', /did you mean "artefact\/model"/],
        ['restore', { snapshot: 'snap-1', item: 'artefact/modle' }, 'NOT_FOUND', /did you mean "artefact\/model"/],
        ['restore', { item: 'artefact/../../etc/passwd' }, 'BAD_INPUT', /an item, like/],
        ['restore', { item: '/etc/passwd' }, 'BAD_INPUT', /an item, like/],
        ['restore', { item: 'config/a\0b' }, 'BAD_INPUT', /an item, like/],
        ['restore', { item: `config/${'x'.repeat(5000)}` }, 'BAD_INPUT', /1000 characters/],
        ['restore', { item: 'config', beside: 'yes' }, 'BAD_INPUT', /true or false/],
        ['restore', { itme: 'config' }, 'BAD_INPUT', /did you mean "item"/],
        ['snapshot', { items: 'config' }, 'BAD_INPUT', /a list/],
        ['snapshot', { items: ['models'] }, 'BAD_INPUT', /an item, like/],
        ['snapshot', { items: ['artefact/none'] }, 'NOT_FOUND', /nothing could be taken/],
        ['snapshot', { items: Array(101).fill('config') }, 'BAD_INPUT', /at most 100 entries/],
        ['snapshot', { note: 'x'.repeat(501) }, 'BAD_INPUT', /500 characters/],
        ['snapshots', { id: 'snap-9' }, 'NOT_FOUND', /did you mean "snap-1"/],
        ['snapshots', { id: 'snap-1', item: 'config/congifs' }, 'NOT_FOUND', /has no/],
        ['snapshots', { limit: 0 }, 'BAD_INPUT', /from 1 to 1000/],
      ];
      for (const [verb, input, code, message] of refusals)
        await assert.rejects(bench.call(verb, input), { code, message }, JSON.stringify(input).slice(0, 80));
      assert.equal((await bench.call('snapshots', { verify: true })).snapshots.length, 1);
    }));

  test('a way out: a folder that was replaced by a link, a link in the place of a file, a place nobody registers any more', () =>
    withBench(async (bench) => {
      await bench.call('snapshot');
      const outside = mkdtempSync(join(tmpdir(), 'grace-outside-'));
      try {
        writeFileSync(join(outside, 'one.cedar'), 'not yours');
        renameSync(join(bench.folder, 'configs/policies'), join(bench.folder, 'aside'));
        symlinkSync(outside, join(bench.folder, 'configs/policies'));
        const asked = { item: 'config/configs/policies/one.cedar' };
        await assert.rejects(bench.call('restore', asked), { code: 'FORBIDDEN', message: /link out/ });
        assert.equal(readFileSync(join(outside, 'one.cedar'), 'utf8'), 'not yours');
        rmSync(join(bench.folder, 'configs/policies'));
        mkdirSync(join(bench.folder, 'configs/policies'));
        symlinkSync(join(outside, 'one.cedar'), join(bench.folder, 'configs/policies/one.cedar'));
        await assert.rejects(bench.call('restore', asked), { code: 'FORBIDDEN', message: /no regular file/ });
        assert.equal(readFileSync(join(outside, 'one.cedar'), 'utf8'), 'not yours');
      } finally {
        rmSync(outside, { recursive: true });
      }
    }));
});

describe('killed in the middle', () => {
  /** Lets it work for a while, kills it, and begins a next life on what it left. */
  async function afterKill(
    act: 'snapshot' | 'restore',
    acts: number,
    body: Parameters<typeof withBench>[0],
  ): Promise<void> {
    const scratch = mkdtempSync(join(tmpdir(), 'grace-killed-'));
    const folder = join(scratch, 'files');
    // Who is killed removes nothing, so all of it lies in one place.
    const child = start(ACTOR, [act, folder], { TMPDIR: scratch });
    try {
      const lines: string[] = [];
      let rest = '';
      child.stdout.on('data', (chunk) => {
        const parts = (rest + chunk).split('\n');
        rest = parts.pop()!;
        lines.push(...parts);
        // Some way into the next act, a different one each time.
        if (lines.length >= acts + 2) setTimeout(() => child.kill('SIGKILL'), acts * 7);
      });
      await once(child, 'close');
      assert.equal(child.signalCode, 'SIGKILL');
      await withBench(body, { folder, stateDir: lines[0]!, governed: false });
    } finally {
      child.kill('SIGKILL');
      rmSync(scratch, { recursive: true, force: true });
    }
  }

  test('a snapshot is whole or is not there', { timeout: 60_000 }, () =>
    afterKill('snapshot', 3, async (bench) => {
      const { snapshots } = await bench.call('snapshots', { verify: true });
      assert.ok(snapshots.length >= 5);
      assert.ok(
        snapshots.every(({ good }: Answer) => good),
        JSON.stringify(snapshots),
      );
      assert.deepEqual(readdirSync(join(bench.shelf, 'tmp')), []);
      const next = await bench.call('snapshot', { items: ['config'] });
      assert.ok(Number(next.id.slice(5)) > Number(snapshots.at(-1).id.slice(5)), 'no number comes twice');
    }),
  );

  test('a restore has happened or has not', { timeout: 60_000 }, () =>
    afterKill('restore', 3, async (bench) => {
      // A verb is answered when what was cut off is ended.
      await bench.call('snapshots');
      const configs = join(bench.folder, 'configs');
      const contents = new Set(readdirSync(configs).map((name) => readFileSync(join(configs, name), 'utf8')));
      assert.equal(contents.size, 1, 'no mixture of two');
      assert.ok(['a'.repeat(20_000), 'b'.repeat(20_000)].includes([...contents][0]!));
      assert.equal(readdirSync(configs).length, 12, 'nothing is left beside');
      const value = valueIn(join(bench.state, 'scheduler', 'store.sqlite'));
      assert.ok(['a'.repeat(200_000), 'b'.repeat(200_000)].includes(value));
      assert.ok(readdirSync(join(bench.state, 'scheduler')).every((name) => !name.includes('restoring')));
    }),
  );

  test('what was ready is ended by the next life, what was not is undone, and state is left alone', () =>
    withBench(
      async (bench) => {
        // What a kill leaves: two files are ready and one of them has its place already; one is not ready; one is a kernel's.
        const rows: [string, string, string, number][] = [];
        for (const [name, kind, ready, isStaged] of [
          ['renamed', 'file', 1, false],
          ['waiting', 'file', 1, true],
          ['unready', 'file', 0, true],
          ['kept', 'state', 1, true],
        ] as const) {
          const path = bench.write(`configs/${name}`, isStaged ? 'old' : 'new');
          const staged = join(bench.folder, 'configs', `.${name}.snap-1.restoring`);
          if (isStaged) writeFileSync(staged, 'new');
          rows.push([path, staged, kind, ready]);
        }
        const db = new DatabaseSync(join(dirname(bench.shelf), 'store.sqlite'));
        for (const row of rows) db.prepare('INSERT INTO restoring VALUES (?, ?, ?, ?)').run(...row);
        db.close();
        await bench.rig.restart('infrastructure_manager');
        await bench.call('snapshots');
        const contents = rows.map(([path]) => readFileSync(path, 'utf8'));
        assert.deepEqual(contents, ['new', 'new', 'old', 'old']);
        assert.ok(rows.every(([, staged]) => !existsSync(staged)));
        assert.ok(bench.rig.logs.some(({ message }) => message === 'a restore was cut off'));
      },
      { governed: false },
    ));
});
