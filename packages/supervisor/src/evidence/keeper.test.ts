import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { type AnyDraft, type AnyRecord, type CellMethods, HOME, toWireError } from '@grace/contracts';
import { Channel } from '@grace/control';
import { poll } from '@grace/testkit';
import { BUSY_THREAD, type BusyThread, busyThread, debuggerFor, lineOf } from '../cell/debugger/fixtures/rig.ts';
import { createProfiles } from '../cell/debugger/profiles.ts';
import { createEvidenceKeeper, type EvidenceKeeper } from './keeper.ts';

interface Bed {
  home: string;
  keeper: EvidenceKeeper;
  records: AnyRecord[];
  thread: BusyThread;
  read(file: string): string;
}

const OF = { kernel: 'busy', cell: 'work', incarnation: 1, incident: 'inc-7' };

/** A keeper, and beyond a real socket a cell with one real thread. */
async function bed(t: TestContext): Promise<Bed> {
  const home = mkdtempSync(join(tmpdir(), 'grace-keeper-'));
  mkdirSync(join(home, HOME.logs));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const thread = await busyThread(t);
  const threads = debuggerFor(t);
  const profiles = createProfiles(home);
  const path = join(home, 's.sock');
  const arrived = Promise.withResolvers<Socket>();
  const server = createServer((socket) => arrived.resolve(socket));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const near = createConnection(path);
  const far = await arrived.promise;
  t.after(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  new Channel(far, {
    onRequest: (method, params) =>
      method === 'kernel.stack'
        ? threads.stackOf(thread.handle, (params as CellMethods['kernel.stack']['params']).deadlineMs)
        : profiles.record(thread.handle, params as CellMethods['kernel.profile']['params']),
  });
  const channel = new Channel(near);
  const records: AnyRecord[] = [];
  const keeper = createEvidenceKeeper({
    home,
    journal: {
      append(draft: AnyDraft) {
        const record = { seq: records.length + 1, wallMs: 0, monoMs: 0, ...draft } as AnyRecord;
        records.push(record);
        return record;
      },
    },
    channel: (cell) => (cell === OF.cell ? channel : undefined),
  });
  return { home, keeper, records, thread, read: (file) => readFileSync(join(home, file), 'utf8') };
}

describe('evidence', () => {
  test('of a spinning thread is a file with its stack, linked from the journal', async (t) => {
    const { keeper, records, thread, read } = await bed(t);
    thread.begin('spin');
    await thread.burns();
    const { record, stack } = await keeper.stack(OF, 10_000);
    assert.deepEqual(records, [record]);
    assert.equal(record.name, 'kernel:evidence');
    assert.deepEqual([record.kernel, record.cell, record.incarnation], ['busy', 'work', 1]);
    const { kind, incident, file, bytes, top } = record.data;
    assert.deepEqual([kind, incident], ['stack', 'inc-7']);
    assert.match(top[0]!, /^spinHere .*busy-thread\.ts:\d+:\d+$/);
    const text = read(file);
    assert.equal(Buffer.byteLength(text), bytes);
    assert.ok(text.includes(top[0]!));
    assert.equal(stack?.frames[0]?.function, 'spinHere');
  });

  test('of a thread in native code says what the system knows of it', async (t) => {
    const { keeper, thread, read } = await bed(t);
    thread.begin('child', '1');
    // Until it is inside the call, it is still in JavaScript and has frames.
    const { record } = await poll('it sits in native code', async () => {
      const kept = await keeper.stack(OF, 300);
      return kept.stack === null && kept;
    });
    assert.match(record.data.top[0]!, /no JavaScript within 300 ms: it (sleeps in|runs native)/);
    assert.ok(read(record.data.file).includes(record.data.top[0]!));
    await thread.says('done child');
  });

  test('of a leak is a heap profile, and the sizes of the heap beside it', async (t) => {
    const { keeper, records, thread, read } = await bed(t);
    thread.begin('leak');
    const record = await keeper.profile(OF, 'heap', 700);
    assert.equal(record.data.kind, 'heap_profile');
    assert.match(record.data.top[0]!, /leakHere/);
    assert.ok(JSON.parse(read(record.data.file)).head);
    const beside = records.find(
      ({ name, data }) => name === 'kernel:evidence' && (data as { kind: string }).kind === 'heap_statistics',
    );
    assert.match((beside!.data as { top: string[] }).top[0]!, /^heap \d+ MiB of \d+ MiB, outside it \d+ MiB$/);
  });

  test('of a crash is the error with the lines its author wrote around', async (t) => {
    const { keeper, thread, read } = await bed(t);
    const crashed = new Promise<Error>((resolve) => thread.handle.worker.once('error', resolve));
    thread.begin('crash');
    const { data } = await keeper.error({ ...OF, incident: null }, toWireError(await crashed));
    assert.match(data.file, /^evidence\/busy\//);
    assert.equal(data.top[0], 'INTERNAL: ended on purpose');
    const line = lineOf(BUSY_THREAD, "new Error('ended on purpose')");
    assert.ok(read(data.file).includes(`> ${String(line).padStart(5)} |     throw new Error('ended on purpose')`));
    const bare = await keeper.error(OF, { code: 'KERNEL_GONE', message: 'no stack' });
    assert.match(read(bare.data.file), /KERNEL_GONE: no stack/);
  });

  test('of a cell that V8 ended is what it printed last, and nothing of the process before', async (t) => {
    const { home, keeper, records, read } = await bed(t);
    const path = join(home, HOME.logs, 'work.out');
    appendFileSync(path, 'of the first process\n');
    const first = await keeper.cellOutput('work', 1, null);
    assert.match(read(first!.data.file), /of the first process/);
    const out = openSync(path, 'a');
    const leak = 'const kept = []; for (;;) kept.push(new Array(1000).fill(kept.length));';
    const { pid, signal } = spawnSync(process.execPath, ['--max-old-space-size=20', '-e', leak], {
      stdio: ['ignore', out, out],
      cwd: home,
      timeout: 30_000,
    });
    closeSync(out);
    assert.ok(signal);
    const record = await keeper.cellOutput('work', pid, 'inc-8');
    const { kind, file, top } = record!.data;
    assert.deepEqual([kind, record!.cell, record!.kernel], ['cell_output', 'work', undefined]);
    assert.match(file, /^evidence\/inc-8\//);
    assert.ok(
      top.some((line) => /heap limit|out of memory/i.test(line)),
      top.join('\n'),
    );
    assert.doesNotMatch(read(file), /of the first process/);
    assert.equal(await keeper.cellOutput('work', pid, 'inc-8'), null);
    assert.equal(await keeper.cellOutput('none', 1, null), null);
    assert.equal(records.length, 2);
  });

  test('cannot be had of a cell that is not connected, and that is no record', async (t) => {
    const { keeper, records } = await bed(t);
    await assert.rejects(keeper.stack({ ...OF, cell: 'edge' }), { code: 'CELL_GONE' });
    assert.deepEqual(records, []);
  });
});
