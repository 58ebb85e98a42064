import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnyRecord } from '@grace/contracts';
import fc from 'fast-check';
import type { Sentence, Story } from '../src/explain/story.ts';
import { storyOf } from '../src/explain/tell.ts';
import { FAR, MATE, WORKER, WrittenJournal } from './written-journal.ts';

const texts = (sentences: readonly Sentence[]): string[] => sentences.map(({ text }) => text);
const has = (sentences: readonly Sentence[], pattern: RegExp): Sentence => {
  const found = sentences.find(({ text }) => pattern.test(text));
  assert.ok(found, `${pattern} in ${JSON.stringify(texts(sentences), null, 1)}`);
  return found;
};
const hasNot = (sentences: readonly Sentence[], pattern: RegExp): void =>
  assert.deepEqual(
    texts(sentences).filter((text) => pattern.test(text)),
    [],
  );

const BLOCKED = { heartbeatAgeMs: 700, elu: 1, stuckMs: 400, cpuMs: 1, runDelayMs: 4 };

/** A kernel in a native call: it is asked, told to end, does not, its process is killed, and it moves out. */
function blockedKernel(): WrittenJournal {
  const journal = new WrittenJournal();
  journal.at(90, 'kernel:ready', { readyMs: 80, probe: {} }, WORKER);
  journal.at(
    5000,
    'kernel:condition',
    { from: 'healthy', to: 'late', confidence: 0.5, evidence: { heartbeatAgeMs: 300, elu: 1 } },
    WORKER,
  ); // 3
  journal.at(5400, 'kernel:condition', { from: 'late', to: 'blocked', confidence: 0.97, evidence: BLOCKED }, WORKER);
  journal.open(5400, { id: 'inc-1', kind: 'kernel_hung', subject: 'worker', cell: 'user' }, WORKER); // 5
  journal.at(
    5400,
    'detector:fire',
    { method: 'heartbeat', incident: 'inc-1', subject: 'worker', evidence: BLOCKED },
    WORKER,
  );
  journal.at(
    5560,
    'detector:fire',
    { method: 'probe', incident: 'inc-1', subject: 'worker', evidence: { unansweredMs: 160 } },
    WORKER,
  );
  journal.at(
    5560,
    'kernel:state',
    { from: 'running', to: 'stopping', reason: 'blocked: no heartbeat for 860 ms' },
    WORKER,
  ); // 8
  journal.at(
    6600,
    'kernel:stuck',
    { rung: 'terminate did not return', evidence: { next: 'SIGKILL of the cell', mates: ['mate'] } },
    WORKER,
  );
  journal.at(6600, 'kernel:move', { from: 'user', to: 'solo_worker', why: 'solitary' }, WORKER); // 10
  journal.at(
    6610,
    'cell:exit',
    { pid: 70, code: null, signal: 'SIGKILL', expected: true, kernels: ['worker', 'mate'] },
    { cell: 'user' },
  );
  journal.at(6610, 'kernel:restart', { cause: 'hung', attempt: 1, delayMs: 0, by: 'restart engine' }, WORKER); // 12
  journal.at(6610, 'kernel:state', { from: 'running', to: 'backoff', reason: 'its cell user ended' }, MATE);
  journal.at(
    6900,
    'kernel:state',
    { from: 'probing', to: 'running', reason: 'its functional probe has answered' },
    { ...MATE, incarnation: 2 },
  );
  journal.at(
    6950,
    'kernel:ready',
    { readyMs: 340, probe: {} },
    { kernel: 'worker', cell: 'solo_worker', incarnation: 2 },
  ); // 15
  journal.at(6950, 'incident:close', { id: 'inc-1', outcome: 'the kernel is ready again' }, { kernel: 'worker' });
  return journal;
}

describe('the story of a kernel in a native call', () => {
  const story = storyOf(blockedKernel().records, 'inc-1');

  test('begins with what was first seen, by which signal, with its evidence', () => {
    assert.deepEqual(story.seen[0], {
      atMs: 0,
      text: 'heartbeat: no heartbeat for 700 ms, 1 ms of CPU burnt and 4 ms waited for a processor in 400 ms, event loop held 100 %',
      events: [6],
    });
    assert.deepEqual(story.seen[1], {
      atMs: 160,
      text: 'functional probe: a functional probe unanswered for 160 ms',
      events: [7],
    });
  });

  test('tells what the judgement said before and then, and how sure it was', () => {
    assert.deepEqual(
      story.judged.map(({ atMs, events }) => [atMs, events]),
      [
        [-400, [3]],
        [0, [4]],
      ],
    );
    assert.match(story.judged[1]!.text, /^worker: late -> blocked, confidence 0\.97: no heartbeat for 700 ms/);
  });

  test('names what was ruled out, by figures of the record', () => {
    assert.deepEqual(has(story.ruledOut, /^not starved: of 400 ms it waited 4 ms \(1 %\) for a processor/).events, [4]);
    has(story.ruledOut, /^not looping: it burnt 1 ms of CPU in 400 ms/);
    has(story.ruledOut, /^not a stopped timer/);
    has(story.ruledOut, /^not a full machine/);
    has(story.ruledOut, /^not a late observer/);
    has(story.ruledOut, /^not its whole cell: no other kernel of cell user/);
    has(story.ruledOut, /^no drill/);
  });

  test('tells what was tried, rung by rung', () => {
    const rungs = [
      /told to end: blocked/,
      /terminate did not return.*next: SIGKILL of the cell/,
      /moves from cell user to solo_worker: alone/,
      /cell user \(pid 70\) ended by order with SIGKILL, and with it worker, mate/,
      /restart of worker at once \(cause hung, attempt 1/,
      /worker is ready: incarnation 2/,
    ];
    assert.equal(story.tried.length, rungs.length, texts(story.tried).join('\n'));
    rungs.forEach((rung, i) => void assert.match(story.tried[i]!.text, rung));
  });

  test('tells who else was touched, and for how long', () => {
    assert.deepEqual(story.others, [
      {
        kernel: 'mate',
        fromMs: 1210,
        forMs: 290,
        text: 'down with cell user (its cell user ended); back as incarnation 2',
        linked: true,
        events: [13, 14],
      },
    ]);
  });

  test('says how it ended, what is established and what is not', () => {
    assert.deepEqual([story.state, story.lastedMs], ['closed', 1550]);
    assert.match(story.ending[0]!.text, /closed after 1\.6 s: the kernel is ready again/);
    has(story.cause.established, /one call kept its thread waiting/);
    has(story.cause.notEstablished, /in which call: a thread in native code shows no JavaScript stack/);
  });
});

interface Case {
  name: string;
  write(journal: WrittenJournal): void;
  check(story: Story): void;
}

const SPINNING = { heartbeatAgeMs: 600, elu: 1, missed: { forMs: 400, cpuMs: 390, runDelayMs: 3 } };
const hang = (journal: WrittenJournal, evidence: Record<string, unknown> = SPINNING, correlation?: string): void => {
  const about = { ...WORKER, ...(correlation === undefined ? {} : { correlation }) };
  journal.at(5000, 'kernel:condition', { from: 'healthy', to: 'spinning', confidence: 0.8, evidence }, about);
  journal.open(5000, { id: 'x', kind: 'kernel_hung', subject: 'worker', cell: 'user' }, about);
  journal.at(5000, 'detector:fire', { method: 'heartbeat', incident: 'x', subject: 'worker', evidence }, about);
};

const CASES: Case[] = [
  {
    name: 'a kept stack gives the place, and the reason stays not established',
    write(journal) {
      hang(journal);
      journal.at(
        5020,
        'kernel:evidence',
        {
          kind: 'stack',
          incident: 'x',
          file: 'evidence/stack-1.json',
          bytes: 900,
          top: ['spin (src/loop.ts:7:3)', 'start (src/loop.ts:2:1)'],
        },
        WORKER,
      );
    },
    check({ cause, evidence, tried }) {
      has(cause.established, /the place: spin \(src\/loop\.ts:7:3\)/);
      has(cause.notEstablished, /why the code there does not end/);
      assert.equal(evidence[0]!.file, 'evidence/stack-1.json');
      has(tried, /kept for looking at: stack of worker, evidence\/stack-1\.json/);
    },
  },
  {
    name: 'a run-queue delay that was not measured is no exoneration from starvation',
    write: (journal) =>
      hang(journal, { heartbeatAgeMs: 600, elu: 1, missed: { forMs: 400, cpuMs: null, runDelayMs: null } }),
    check({ ruledOut, cause }) {
      hasNot(ruledOut, /not starved/);
      has(cause.notEstablished, /whether it was starved/);
    },
  },
  {
    name: 'a thread that waited most of the time is not said to be not starved',
    write: (journal) =>
      hang(journal, { heartbeatAgeMs: 900, elu: 1, missed: { forMs: 800, cpuMs: 300, runDelayMs: 480 } }),
    check: ({ ruledOut }) => hasNot(ruledOut, /not starved/),
  },
  {
    name: 'a machine that was full is told, however long before that began, and not ruled out',
    write(journal) {
      journal.open(100, { id: 'full', kind: 'cpu_saturation', subject: 'machine' });
      for (let n = 0; n < 50; n++) journal.at(200 + n, 'system:lag', { lagMs: 300 });
      journal.at(
        40_000,
        'kernel:condition',
        { from: 'healthy', to: 'spinning', confidence: 0.8, evidence: SPINNING },
        WORKER,
      );
      journal.open(40_000, { id: 'x', kind: 'kernel_hung', subject: 'worker', cell: 'user' }, WORKER);
    },
    check({ ruledOut, judged }) {
      hasNot(ruledOut, /full machine/);
      has(judged, /every core of the machine was busy at that time \(incident full\)/);
    },
  },
  {
    name: 'a full machine that was over before is ruled out',
    write(journal) {
      journal.open(100, { id: 'full', kind: 'cpu_saturation', subject: 'machine' });
      journal.at(900, 'incident:close', { id: 'full', outcome: 'cores are free again' });
      hang(journal);
    },
    check: ({ ruledOut }) => void has(ruledOut, /not a full machine/),
  },
  {
    name: 'a late supervisor is not ruled out',
    write(journal) {
      journal.at(4000, 'system:lag', { lagMs: 800 });
      hang(journal);
    },
    check({ ruledOut, cause }) {
      hasNot(ruledOut, /late observer/);
      has(cause.notEstablished, /the supervisor's own lateness of 800 ms/);
    },
  },
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

describe('a story', () => {
  for (const { name, write, check } of CASES) {
    test(name, () => {
      const journal = new WrittenJournal();
      write(journal);
      check(storyOf(journal.records, 'x'));
    });
  }

  test('of an incident that the records do not open is refused', () => {
    assert.throws(() => storyOf(blockedKernel().records, 'inc-2'), { code: 'UNKNOWN_INCIDENT' });
  });

  test('needs no more than the opening: whatever else is lost, it is told, and rests on records that are there', () => {
    const journals: [string, AnyRecord[]][] = [
      ['inc-1', blockedKernel().records],
      ...CASES.map(({ write }): [string, AnyRecord[]] => {
        const journal = new WrittenJournal();
        write(journal);
        return ['x', journal.records];
      }),
    ];
    const losses = fc.tuple(fc.constantFrom(...journals), fc.infiniteStream(fc.boolean()));
    fc.assert(
      fc.property(losses, ([[id, records], stream]) => {
        const keep = stream[Symbol.iterator]();
        const left = records.filter(
          (record) => (record.name === 'incident:open' && record.data.incident.id === id) || keep.next().value,
        );
        const { seen, judged, ruledOut, tried, others, ending, cause } = storyOf(left, id);
        const there = new Set(left.map(({ seq }) => seq));
        const cited = [seen, judged, ruledOut, tried, others, ending, cause.established, cause.notEstablished];
        for (const { events } of cited.flat()) for (const event of events) assert.ok(there.has(event));
        for (const { events } of [...seen, ...judged, ...tried, ...ending, ...cause.established])
          assert.notEqual(events.length, 0);
        assert.ok(cause.established.length + cause.notEstablished.length > 0);
      }),
    );
  });
});
