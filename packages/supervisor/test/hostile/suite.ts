import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AnyRecord } from '@grace/contracts';
import { callThroughout, poll, type System } from '@grace/testkit';
import { recordsAfter, settled } from './bed.ts';
import type { HostileCase, Outcome } from './cases.ts';

type Named<N extends AnyRecord['name']> = Extract<AnyRecord, { name: N }>;

/** One test per case: the right condition is named, the softest sufficient action is taken, nobody else suffers. */
export function hostileTests(
  system: () => System,
  cases: readonly HostileCase[],
  owner?: { uid: number; gid: number },
): void {
  for (const one of cases) {
    test(`${one.title}: ${one.condition ?? 'its end'} is named, it costs ${one.costs === 'nothing' ? 'nothing' : `one ${one.costs}`}`, () =>
      judgeCase(system(), one, owner));
  }
}

async function judgeCase(system: System, planned: HostileCase, owner?: { uid: number; gid: number }): Promise<void> {
  let one = planned;
  await settled(system);
  const from = (await system.status()).system.journalSeq;
  const before = Object.fromEntries((await system.status()).kernels.map((kernel) => [kernel.id, kernel]));
  const { count } = await system.call<{ count: number }>('hostile', 'count');
  const mateCount = (await system.call<{ count: number }>('mate', 'count')).count;
  const others = [callThroughout(system, 'other', 'total')];
  const pid = await system.cellPid('pair');
  if (one.costs !== 'cell') others.push(callThroughout(system, 'mate', 'total'));
  const fifo = one.verb === 'read_fifo' ? makeFifo(system, owner) : undefined;

  // The thread may be gone before its answer is on the way.
  await system.call('hostile', one.verb, fifo ? { path: fifo } : (one.input ?? {})).catch(() => {});
  const { incarnation } = before['hostile']!;
  const back = await system.back('hostile', incarnation, 60_000);
  if (one.orElse) one = { ...one, ...(await outcome(system, from, one, (await system.cellPid('pair')) !== pid)) };
  if (one.costs === 'cell') await system.back('mate', before['mate']!.incarnation, 60_000);
  if (fifo) rmSync(fifo);

  assert.deepEqual((await Promise.all(others.map((calls) => calls.end()))).flat(), [], 'the others serve throughout');
  assert.equal(back.incarnation, incarnation + 1, 'it came back once');
  assert.deepEqual(await system.call('hostile', 'total'), { count }, 'its state is whole');
  assert.deepEqual(await system.call('mate', 'total'), { count: mateCount }, "its mate's state is whole");
  await settled(system);
  const records = await recordsAfter(system, from);
  judgeRecords(records, one);
  const now = Object.fromEntries((await system.status()).kernels.map((kernel) => [kernel.id, kernel]));
  for (const id of Object.keys(before)) {
    if (id === 'hostile' || (id === 'mate' && one.costs === 'cell')) continue;
    assert.equal(now[id]!.incarnation, before[id]!.incarnation, `${id} was not touched`);
  }
  if (one.stack) judgeStack(system, records, one.stack);
}

/** Which of the outcomes it was, by the end of its cell, the incidents, and what it was restarted for; a cell's end is noticed last. */
async function outcome(system: System, from: number, one: HostileCase, cellEnded: boolean): Promise<Outcome> {
  const records = await recordsAfter(system, from);
  const opened = records.flatMap((record) =>
    record.name === 'incident:open' ? [record.data.incident.kind as string] : [],
  );
  const restart = records.find(({ name, kernel }) => name === 'kernel:restart' && kernel === 'hostile');
  const cause = (restart as Named<'kernel:restart'> | undefined)?.data.cause;
  const seen = [one, ...one.orElse!].filter(
    ({ incident, costs }) => (costs === 'cell') === cellEnded && opened.includes(incident),
  );
  const found = seen.find((each) => each.cause === cause) ?? seen.find((each) => each.cause === 'cell');
  const what = `its cell ${cellEnded ? 'ended' : 'lived'}, with the incidents ${opened.join(', ') || 'none'}`;
  assert.ok(found, `${what}; restarted for ${cause}`);
  return { incident: found.incident, cause: found.cause, costs: found.costs };
}

function judgeRecords(records: AnyRecord[], one: HostileCase): void {
  const of = <N extends AnyRecord['name']>(name: N): Named<N>[] =>
    records.filter((record) => record.name === name) as Named<N>[];
  if (one.condition !== null) {
    const named = of('kernel:condition').filter(({ kernel }) => kernel === 'hostile');
    const words = named.map(({ data }) => data.to);
    assert.ok(words.includes(one.condition), `named: ${words.join(', ')}`);
  }
  const kinds = of('incident:open').map(({ data }) => data.incident.kind);
  assert.ok(kinds.includes(one.incident), `incidents: ${kinds.join(', ')}`);
  const [first] = of('kernel:restart').filter(({ kernel }) => kernel === 'hostile');
  // What was noticed first in its thread may have been on its way when the process ended.
  const noticed = ['crash', 'memory', ...(one.orElse ?? []).map(({ cause }) => cause)];
  const causes = one.cause === 'cell' ? ['cell', ...noticed] : [one.cause];
  assert.ok(causes.includes(first?.data.cause as never), `restarted for ${first?.data.cause}`);
  const ends = of('cell:exit').filter(({ cell }) => cell === 'pair');
  assert.equal(ends.length, one.costs === 'cell' ? 1 : 0, `ends of its cell: ${ends.length}`);
  if (one.cause === 'hung' && one.costs === 'cell') {
    const moves = of('kernel:move').map(({ data }) => data.why);
    assert.deepEqual(moves, ['solitary', 'return'], 'it is moved into a cell of its own, and comes back');
  }
}

function judgeStack(system: System, records: AnyRecord[], frame: RegExp): void {
  const kept = records.find(
    ({ name, data }) => name === 'kernel:evidence' && (data as { kind: string }).kind === 'stack',
  );
  assert.ok(kept, 'its stack is among the evidence');
  const { file, top } = kept.data as Named<'kernel:evidence'>['data'];
  assert.match(top.join('\n'), frame);
  assert.ok(existsSync(join(system.home, file)), file);
  assert.match(readFileSync(join(system.home, file), 'utf8'), frame);
}

function makeFifo(system: System, owner?: { uid: number; gid: number }): string {
  const path = join(system.site.dir, 'tmp', 'fifo');
  execFileSync('mkfifo', ['-m', '666', path]);
  if (owner) execFileSync('chown', [`${owner.uid}:${owner.gid}`, path]);
  return path;
}

/** Waits for a record of the hostile kernel. */
export async function recordOf<N extends AnyRecord['name']>(
  system: System,
  after: number,
  name: N,
  fits: (record: Named<N>) => boolean,
): Promise<Named<N>> {
  return await poll(
    `${name} is recorded`,
    async () => {
      const records = await recordsAfter(system, after);
      return records.find((record): record is Named<N> => record.name === name && fits(record as Named<N>));
    },
    // A storm on a machine that others fill takes nothing from anybody, and need not be held before they are done.
    { deadlineMs: 80_000 },
  );
}
