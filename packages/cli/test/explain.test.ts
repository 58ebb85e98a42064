import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Incident } from '@grace/contracts';
import { bootSystem, openSite, poll, type Site, type System } from '@grace/testkit';
import type { Sentence, Story } from '../src/explain/story.ts';

/** Loops, waits in a native call, or throws, on request. */
const VICTIM = `
export default {
  id: 'victim',
  start: () => ({
    verbs: {
      spin() { for (;;); },
      wait() { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); },
      crash() { setImmediate(() => { throw new Error('thrown on purpose'); }); return {}; },
    },
    probe: () => ({}),
  }),
};`;
const MATE = "export default { id: 'mate', start: () => ({ verbs: {}, probe: () => ({}) }) };";
const kernel = (id: string) => ({ module: `./${id}.mjs`, needs: ['message_bus'], restart: { budget: 20 } });

/** A stopped kernel answers nothing, and that is what was asked for. */
const provoke = (system: System, verb: string): void => void system.call('victim', verb, {}, 500).catch(() => {});

describe('what happened to a real system', () => {
  let site: Site;
  let system: System;
  const stories = new Map<string, Story>();
  before(async () => {
    site = openSite({
      config: { kernels: { victim: kernel('victim'), mate: kernel('mate') } },
      files: { 'victim.mjs': VICTIM, 'mate.mjs': MATE },
    });
    system = await bootSystem({ site, args: ['--only', 'victim,mate'] });
    assert.equal(system.booted.code, 0, system.booted.stdout);
  });
  after(() => site?.close({ mayLeave: true }));

  const closedIncident = async (kind: Incident['kind'], subject: string, after: number): Promise<Incident> =>
    await poll(
      `an incident ${kind} of ${subject} is closed`,
      async () =>
        (await system.client.request('incidents', {})).findLast(
          (one) =>
            one.kind === kind && one.subject === subject && one.closedMono !== undefined && one.events[0]! > after,
        ),
      { deadlineMs: 60_000 },
    );
  const explained = async (id: string): Promise<Story> => {
    const { code, stdout, stderr } = await system.grace('explain', id, '--json');
    assert.equal(code, 0, stderr);
    const story = JSON.parse(stdout) as Story;
    stories.set(id, story);
    return story;
  };
  const last = async (): Promise<number> => (await system.status()).system.journalSeq;
  const some = (sentences: readonly Sentence[], pattern: RegExp): void =>
    assert.ok(
      sentences.some(({ text }) => pattern.test(text)),
      `${pattern} in ${JSON.stringify(sentences, null, 1)}`,
    );

  test('a loop: judged spinning, its thread ended and started again, each sentence with its records', async () => {
    const from = await last();
    provoke(system, 'spin');
    const story = await explained((await closedIncident('kernel_hung', 'victim', from)).id);
    some(story.seen, /^heartbeat: no heartbeat for/);
    some(story.judged, /-> spinning, confidence/);
    some(story.ruledOut, /^not a stopped timer/);
    some(story.tried, /^the thread of victim was told to end: spinning/);
    some(story.tried, /^victim is ready: incarnation 2/);
    some(story.cause.established, /one callback kept its thread computing/);
    assert.equal(story.state, 'closed');
    const names = new Map((await system.journal()).map((record) => [record.seq, record.name]));
    for (const { events } of [...story.seen, ...story.judged, ...story.tried, ...story.ending]) {
      assert.notEqual(events.length, 0);
      for (const event of events) assert.ok(names.has(event));
    }
    for (const { events } of story.judged.filter(({ text }) => text.includes('->')))
      assert.equal(names.get(events[0]!), 'kernel:condition');
  });

  test('a native call: up to SIGKILL of the cell, with who went down with it', async () => {
    const from = await last();
    provoke(system, 'wait');
    const story = await explained((await closedIncident('kernel_hung', 'victim', from)).id);
    some(story.judged, /-> blocked, confidence/);
    some(story.ruledOut, /^not looping/);
    some(story.tried, /is ready/);
    const killed = story.tried.some(({ text }) => /ended by order with SIGKILL/.test(text));
    if (killed) {
      const mate = story.others.find((one) => one.kernel === 'mate');
      assert.ok(mate?.linked && mate.forMs !== null && mate.forMs > 0, JSON.stringify(story.others));
    }
  });

  test('a crash: the error is the cause', async () => {
    await system.back('victim', 0);
    const from = await last();
    provoke(system, 'crash');
    const story = await explained((await closedIncident('kernel_crash', 'victim', from)).id);
    some(story.cause.established, /thrown on purpose/);
    some(story.ruledOut, /^not an order of the supervisor/);
  });

  test('a killed cell: that the supervisor did not do it, and that nobody knows who did', async () => {
    const { cell } = await system.kernel('mate');
    const from = await last();
    process.kill(await system.cellPid(cell), 'SIGKILL');
    const story = await explained((await closedIncident('cell_crash', cell, from)).id);
    some(story.ruledOut, /^not an order of the supervisor/);
    assert.deepEqual(story.cause.established, []);
    some(story.cause.notEstablished, /^who sent SIGKILL/);
    const mate = story.others.find((one) => one.kernel === 'mate');
    assert.ok(mate?.linked && mate.forMs !== null, JSON.stringify(story.others));
  });

  test('as text: chapters, times and record numbers in at most 100 columns; the last incident without an id', async () => {
    const [id] = stories.keys();
    const { code, stdout } = await system.grace('explain', id!);
    assert.equal(code, 0);
    for (const head of [
      'First seen',
      'What the judgement said',
      'Ruled out',
      'What was done',
      'Who else was touched',
      'How it ended',
      'Cause',
    ])
      assert.match(stdout, new RegExp(`^${head}$`, 'm'));
    assert.match(stdout, /^ +\+\S+ m?s {2}heartbeat: /m);
    assert.match(stdout, /\(#\d+( #\d+)*\)$/m);
    for (const line of stdout.split('\n')) assert.ok(line.length <= 100, line);
    assert.equal((await system.grace('explain')).code, 0);
  });

  test('with the same evidence as the incident in full', async () => {
    const kept = [...stories.values()].filter(({ evidence }) => evidence.length > 0);
    assert.ok(kept.length > 0, 'something was kept');
    for (const { incident, evidence } of kept) {
      const { stdout } = await system.grace('incidents', incident.id, '--json');
      assert.deepEqual(JSON.parse(stdout).evidence, evidence);
      const text = (await system.grace('incidents', incident.id)).stdout;
      for (const { file, event } of evidence) {
        assert.ok(existsSync(join(system.home, file)), file);
        assert.match(text, new RegExp(`${file} \\(.*, #${event}\\)`));
      }
    }
  });

  test('an incident that does not exist is answered with the nearest id and the last five', async () => {
    const known = async (): Promise<string[]> => (await system.client.request('incidents', {})).map(({ id }) => id);
    const [ids, near, far] = await poll('no incident was opened meanwhile', async () => {
      const before = await known();
      const answers = [
        await system.grace('explain', `${before[0]}x`),
        await system.grace('explain', 'zzz', '--json'),
      ] as const;
      return (await known()).length === before.length && ([before, ...answers] as const);
    });
    assert.equal(near.code, 1);
    assert.match(near.stderr, new RegExp(`UNKNOWN_INCIDENT: .*did you mean "${ids[0]}"\\?\\).*${ids.at(-1)}`));
    assert.deepEqual(JSON.parse(far.stdout).error.details.last, ids.slice(-5));
  });

  test('is told the same when the system has stopped, from the journal alone', async () => {
    await system.grace('stop');
    for (const [id, told] of stories) assert.deepEqual(await explained(id), told);
    const { code } = await system.grace('explain', 'zzz');
    assert.equal(code, 1);
  });
});
