// Records the corpus anew: `node packages/supervisor/test/judgement-corpus/record.ts [state ...]`. Takes about four minutes and wants an
// otherwise idle machine with a writable control group (v1). With names, only those states are recorded again and the others are kept.
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@grace/contracts';
import { createLoadMeter } from '../../src/machine/load.ts';
import { createPulse } from '../../src/machine/pulse.ts';
import { CORPUS_FILE, type Recording, type Row, readCorpus, type Surroundings, toRow } from './corpus-file.ts';
import type { FromCell, ToCell } from './recorded-cell.ts';
import { type CorpusState, STATES } from './states.ts';

const THREAD = new URL('../../../kernel-sdk/src/thread/main.ts', import.meta.url).pathname;
const CPU_GROUPS = '/sys/fs/cgroup/cpu';
/** How a supervisor asks: regularly, and once while a heartbeat is late. Shorter than in a system, so that the corpus shows more answers. */
const PROBE_EVERY_MS = 2000;
const PROBE_DEADLINE_MS = 2000;
const LATE_MS = 250;
/** Recorded before a state begins, and after it ended by itself, ms. */
const BEFORE_MS = 1600;
const AFTER_MS = 1000;
/** The machine has room when less than this share of it is busy for a second; how many seconds are waited for that. */
const ROOM = 0.5;
const ROOM_TRIES = 15;
const CHILD_BOUND_MS = 40_000;
const HOG =
  'const end = Date.now() + 30000; process.on("disconnect", () => process.exit()); setInterval(() => { for (const turn = Date.now() + 400; Date.now() < turn; ); if (Date.now() > end) process.exit(); }, 0);';

async function record(name: string, state: CorpusState): Promise<Recording> {
  const home = mkdtempSync(join(tmpdir(), 'grace-corpus-'));
  const fifo = join(home, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const group = state.capBy ? join(CPU_GROUPS, `grace-corpus-${process.pid}`) : null;
  const hogs: ChildProcess[] = [];
  const cell = fork(new URL('./recorded-cell.ts', import.meta.url).pathname, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const bound = setTimeout(() => cell.kill('SIGKILL'), CHILD_BOUND_MS);
  const tell = (message: ToCell): void => void cell.send(message);
  const rows: Row[] = [];
  let firstMono: number | null = null;
  let lastSample: Parameters<typeof toRow>[0] | null = null;
  const around: Surroundings = {
    agentLagMs: 0,
    supervisorLagMs: 0,
    machineBusy: 0,
    alive: true,
    probe: { inFlightMs: null, failures: 0, lastOkAgoMs: null },
  };
  let askedMono: number | null = null;
  let okMono: number | null = null;
  let dueMono = Infinity;
  let suspicion = false;
  const ask = (): void => {
    if (askedMono !== null) return;
    askedMono = systemClock.monoMs();
    tell({ t: 'probe', deadlineMs: PROBE_DEADLINE_MS });
  };
  const waiting = new Map<FromCell['t'], (message: FromCell) => void>();
  const gone = new Promise<never>((_resolve, reject) => {
    cell.once('exit', () => reject(new Error(`${name}: the recorded cell ended`)));
  });
  gone.catch(() => {});
  const heard = <T extends FromCell['t']>(kind: T): Promise<Extract<FromCell, { t: T }>> =>
    Promise.race([
      gone,
      new Promise<Extract<FromCell, { t: T }>>((resolve) =>
        waiting.set(kind, (message) => resolve(message as Extract<FromCell, { t: T }>)),
      ),
    ]);
  const pulse = createPulse(systemClock, {
    tick: () => {
      if (systemClock.monoMs() >= dueMono) ask();
    },
    machine: (busy, lagMs) => {
      around.machineBusy = busy;
      around.supervisorLagMs = lagMs;
    },
    lagged: () => {},
  });

  const keep = (): void => {
    if (!lastSample) return;
    const now = systemClock.monoMs();
    firstMono ??= lastSample.atMono;
    around.probe.inFlightMs = askedMono === null ? null : now - askedMono;
    around.probe.lastOkAgoMs = okMono === null ? null : now - okMono;
    rows.push(toRow(lastSample, around, firstMono));
  };
  cell.on('message', (message: FromCell) => {
    waiting.get(message.t)?.(message);
    waiting.delete(message.t);
    const now = systemClock.monoMs();
    if (message.t === 'sample') {
      lastSample = message.sample.threads[0] ?? lastSample;
      around.agentLagMs = message.sample.agentLagMs;
      const late = (lastSample?.heartbeatAgeMs ?? 0) > LATE_MS;
      keep();
      if (late && !suspicion) ask();
      suspicion = late;
    } else if (message.t === 'probed') {
      askedMono = null;
      around.probe.failures = message.ok ? 0 : around.probe.failures + 1;
      if (message.ok) okMono = now;
      dueMono = now + (message.ok ? PROBE_EVERY_MS : 100);
    } else if (message.t === 'ended') {
      around.alive = false;
      keep();
    }
  });

  try {
    tell({ t: 'begin', home, thread: THREAD, fifo, state });
    const { tid } = await heard('ready');
    dueMono = 0;
    if (state.hogs)
      for (let hog = 0; hog < availableParallelism() * 2; hog++)
        hogs.push(spawn(process.execPath, ['-e', HOG], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }));
    if (group) {
      mkdirSync(group);
      writeFileSync(join(group, 'cpu.cfs_period_us'), '100000');
      writeFileSync(join(group, 'cpu.cfs_quota_us'), String(state.cap! * 100_000));
      writeFileSync(join(group, 'tasks'), String(tid));
      tell({ t: 'cap', cap: state.cap! });
    }
    await elapsed(BEFORE_MS);
    const entered = heard('entered');
    tell({ t: 'enter' });
    await entered;
    const beganMono = systemClock.monoMs();
    if (state.stopMs !== undefined) {
      await elapsed(600);
      cell.kill('SIGSTOP');
      await elapsed(state.stopMs);
      cell.kill('SIGCONT');
    }
    await elapsed(Math.max(0, beganMono + state.forMs - systemClock.monoMs()));
    const endMono = state.act === 'pause heartbeat' ? systemClock.monoMs() : null;
    if (endMono !== null) await elapsed(AFTER_MS);
    const since = (mono: number): number => Math.round(mono - (firstMono ?? mono));
    return {
      state: name,
      machine: `Node ${process.version}, ${availableParallelism()} cores`,
      beganMs: since(beganMono),
      endMs: endMono === null ? null : since(endMono),
      rows,
    };
  } finally {
    pulse.stop();
    clearTimeout(bound);
    for (const child of [cell, ...hogs]) await ended(child);
    if (group) rmdirSync(group);
    rmSync(home, { recursive: true, force: true });
  }
}

/** Waits, for a while, until the machine has room. */
async function room(): Promise<void> {
  const readLoad = createLoadMeter();
  for (let tries = 0; tries < ROOM_TRIES; tries++) {
    await elapsed(1000);
    if ((readLoad() ?? 0) < ROOM) return;
  }
}

function elapsed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(STATES, name));
if (unknown.length > 0) {
  console.error(`no such state: ${unknown.join(', ')}; there are: ${Object.keys(STATES).join(', ')}`);
  process.exit(2);
}
const recordings = new Map(readCorpus().map((recording) => [recording.state, recording]));
for (const [name, state] of Object.entries(STATES)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  await room();
  const recording = await record(name, state);
  recordings.set(name, recording);
  const inOrder = Object.keys(STATES).flatMap((known) => recordings.get(known) ?? []);
  writeFileSync(CORPUS_FILE, inOrder.map((known) => `${JSON.stringify(known)}\n`).join(''));
  console.log(`${name}: ${recording.rows.length} samples`);
}
