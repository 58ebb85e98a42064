import type { Condition } from '@grace/contracts';

/** Something a thread, its cell or the machine is really brought into, and what a judge should say of it. */
export interface CorpusState {
  /** What the kernel does once it is told; see `state-kernel.ts`. */
  act: string;
  title: string;
  /** The right answers while it lasts, from `settleMs` after it began; the first is the best one. */
  right: readonly Condition[];
  /** Whether a restart could help: of an innocent thread it must never come near. */
  culprit: boolean;
  /** How long it lasts, ms. */
  forMs: number;
  /** How long the samples need to tell it, ms. */
  settleMs: number;
  /** And how much CPU it must have got for that, ms: on a machine that others fill it comes slowly. */
  settleCpuMs?: number;
  /** What else is right while others fill the machine; `starved` by default, of a thread that is not to blame. */
  crowded?: readonly Condition[];
  /** Limits and surroundings, where they are not the ordinary ones. */
  cap?: number;
  capBy?: 'cgroup1';
  hogs?: boolean;
  /** Done to the whole cell: stopped and continued by signals, or its main thread blocked, for this long, ms. */
  stopMs?: number;
  agentBlockMs?: number;
  heapBytes?: number;
  externalBytes?: number;
  messagesPerSecond?: number;
}

const HELD = { culprit: true, forMs: 2800, settleMs: 1200 } as const;
const BURNING = { ...HELD, settleCpuMs: 400 } as const;
const CALM = { culprit: false, settleMs: 0 } as const;

/** Keys are the states' names in the corpus. */
export const STATES: Readonly<Record<string, CorpusState>> = {
  quiet: { ...CALM, act: 'quiet', title: 'does nothing', right: ['healthy'], forMs: 10_500 },
  working: { ...CALM, act: 'work', title: 'computes 40 ms of every 100', right: ['healthy'], forMs: 10_500 },
  'long callbacks': {
    ...CALM,
    act: 'long',
    title: 'computes 280 ms in one callback, twice a second',
    right: ['healthy', 'late'],
    forMs: 6000,
  },
  'GC-heavy': {
    ...CALM,
    act: 'garbage',
    title: 'keeps 100 MB alive and makes garbage without end, but does not grow',
    right: ['healthy', 'late'],
    heapBytes: 400e6,
    forMs: 8000,
  },
  'paused heartbeat': {
    ...CALM,
    act: 'pause heartbeat',
    title: 'its heartbeat timer alone is paused; it serves on',
    right: ['late'],
    forMs: 2500,
    settleMs: 300,
  },
  'saturated machine, quiet': {
    ...CALM,
    act: 'quiet',
    title: 'does nothing, while four processes outside burn every core',
    right: ['healthy', 'starved'],
    hogs: true,
    forMs: 10_500,
  },
  'saturated machine, working': {
    ...CALM,
    act: 'work',
    title: 'computes 40 ms of every 100, while four processes outside burn every core',
    right: ['healthy', 'starved'],
    hogs: true,
    forMs: 8000,
  },
  'saturated machine, GC-heavy': {
    ...CALM,
    act: 'garbage',
    title: 'keeps 100 MB alive and makes garbage without end, while four processes outside burn every core',
    right: ['healthy', 'starved', 'late'],
    hogs: true,
    heapBytes: 400e6,
    forMs: 6000,
  },
  'stopped cell': {
    ...CALM,
    act: 'work',
    title: 'its whole process is stopped by SIGSTOP for 1.5 s and continued',
    right: ['starved', 'healthy'],
    stopMs: 1500,
    forMs: 4500,
  },
  'blocked agent': {
    ...CALM,
    act: 'work',
    title: 'the main thread of its cell, which samples it, is blocked for 1.5 s',
    right: ['healthy', 'starved'],
    agentBlockMs: 1500,
    forMs: 4500,
  },
  'capped, working': {
    ...CALM,
    act: 'work',
    title: 'wants 40 % of a core and may have 20 % (control group)',
    right: ['healthy', 'late', 'spinning'],
    cap: 0.2,
    capBy: 'cgroup1',
    forMs: 8000,
  },
  'endless loop': { ...BURNING, act: 'loop', title: 'for (;;)', right: ['spinning'] },
  'endless regex': { ...BURNING, act: 'regex', title: 'a catastrophic regular expression', right: ['spinning'] },
  'endless microtasks': {
    ...BURNING,
    act: 'microtasks',
    title: 'promises that never let a task in',
    right: ['spinning'],
  },
  pbkdf2Sync: { ...BURNING, act: 'pbkdf2', title: 'native code that burns CPU', right: ['spinning'] },
  'saturated machine, endless loop': {
    ...BURNING,
    act: 'loop',
    title: 'for (;;), while four processes outside burn every core',
    right: ['spinning'],
    hogs: true,
    forMs: 8000,
    settleMs: 1500,
  },
  'capped, endless loop': {
    ...BURNING,
    act: 'loop',
    title: 'for (;;) at a limit of 20 % (control group)',
    right: ['spinning'],
    cap: 0.2,
    capBy: 'cgroup1',
    forMs: 5000,
    settleMs: 1500,
  },
  'Atomics.wait': { ...HELD, act: 'atomics', title: 'waits for a word that nobody changes', right: ['blocked'] },
  'FIFO read': { ...HELD, act: 'fifo', title: 'readFileSync of a FIFO without a writer', right: ['blocked'] },
  'execSync sleep': { ...HELD, act: 'exec', title: 'execSync of a program that sleeps', right: ['blocked'] },
  'saturated machine, Atomics.wait': {
    ...HELD,
    act: 'atomics',
    title: 'waits for ever, while four processes outside burn every core',
    right: ['blocked'],
    hogs: true,
    forMs: 3500,
    settleMs: 1500,
  },
  'setImmediate storm': {
    act: 'storm',
    title: 'the loop turns without a rest',
    right: ['spinning'],
    // It burns what it gets, which is not a core.
    crowded: ['healthy', 'starved'],
    culprit: false,
    forMs: 14_000,
    settleMs: 4500,
  },
  'heap leak': {
    act: 'heap leak',
    title: 'keeps 8 MB more of objects each second, of 64 MB',
    right: ['leaking'],
    culprit: false,
    heapBytes: 64e6,
    forMs: 10_000,
    settleMs: 7000,
  },
  'Buffer leak': {
    act: 'buffer leak',
    title: 'keeps 8 MB more of Buffers each second, of 64 MB',
    right: ['leaking'],
    culprit: false,
    externalBytes: 64e6,
    forMs: 12_000,
    settleMs: 7000,
  },
  'log flood': {
    act: 'log flood',
    title: 'writes 4,000 log records a second',
    right: ['flooding'],
    culprit: false,
    forMs: 12_000,
    settleMs: 2000,
  },
  'message flood': {
    act: 'message flood',
    title: 'asks the bus for 4,000 messages a second, and may 1,000',
    right: ['flooding'],
    culprit: false,
    messagesPerSecond: 1000,
    forMs: 12_000,
    settleMs: 2000,
  },
  deadlock: {
    act: 'deadlock',
    title: 'its probe and all its work wait for a promise that nobody settles',
    right: ['silent'],
    culprit: true,
    forMs: 16_000,
    // On a full machine it takes two failed probes.
    settleMs: 6500,
  },
  crash: {
    act: 'crash',
    title: 'throws where nobody catches',
    right: ['dead'],
    culprit: true,
    forMs: 1500,
    settleMs: 600,
  },
};
