import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import {
  type BrokerBirth,
  type BusWire,
  createSlot,
  type FromThread,
  fromWireError,
  GraceError,
  HOME,
  type KernelOrder,
  SLOT,
  type SystemPlan,
  type ThreadBirth,
  type ThreadInventory,
  type ToThread,
  toWireError,
  type WireError,
} from '@grace/contracts';
import { v8HeapBytes } from '../judge/v8-limit.ts';
import { logOutput } from './output-lane.ts';
import { VerbCaller } from './verb-caller.ts';

export interface ThreadHandle {
  readonly kernel: string;
  readonly incarnation: number;
  readonly order: KernelOrder;
  readonly worker: Worker;
  readonly slot: BigInt64Array<SharedArrayBuffer>;
  readonly tid: number;
  readonly verbs: VerbCaller;
  /** Share of one core the thread is held to; null: none. Set by the CPU limits of the cell. */
  cap: number | null;
  readonly stage: ThreadInventory['stage'];
  /** It is on its way out, by itself or told to. */
  readonly isEnding: boolean;
  /** Empty before `start` has returned. */
  readonly verbNames: string[];
  /** Resolves when the module is loaded. */
  readonly loaded: Promise<number>;
  /** May be called again: `start` runs once. */
  start(): Promise<string[]>;
  drain(): Promise<void>;
  /** Rejects with `DEADLINE` when `terminate()` does not return: the thread sits in native code. */
  terminate(deadlineMs: number): Promise<number>;
  send(message: ToThread, transfer?: MessagePort[]): void;
}

export interface ThreadEvents {
  onMessage(message: Extract<FromThread, { t: 'command' | 'report' | 'log' }>): void;
  onExit(code: number, error: WireError | undefined, expected: boolean): void;
}

/** Host side of a kernel thread; its twin is kernel-sdk/src/thread/main.ts. */
export function createThread(
  plan: SystemPlan,
  order: KernelOrder,
  wire: BusWire | null,
  broker: BrokerBirth | null,
  events: ThreadEvents,
): ThreadHandle {
  const { manifest, incarnation } = order;
  const slot = createSlot();
  const stateDir = join(plan.home, HOME.state, manifest.id);
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const { port1, port2 } = new MessageChannel();
  const birth: ThreadBirth = {
    kernel: manifest.id,
    title: manifest.title,
    incarnation,
    module: manifest.module,
    builtin: manifest.builtin,
    heartbeatMs: manifest.heartbeatMs,
    config: manifest.config,
    slot: slot.buffer,
    stateDir,
    verbs: port2,
    bus: wire,
    awaitsBus: manifest.needs.includes('message_bus'),
    logLevel: plan.settings.logLevel,
    armed: order.armed,
    messagesPerSecond: manifest.limits.messagesPerSecond,
    broker,
  };
  // A built-in kernel is one bundle with what its thread is made of.
  const worker = new Worker(manifest.builtin ? manifest.module : plan.entries.thread, {
    // The system cuts thread names at 15 characters; the full id is in every record.
    name: manifest.id,
    workerData: birth,
    transferList: wire?.kind === 'port' ? [port2, wire.port] : [port2],
    resourceLimits: { maxOldGenerationSizeMb: Math.round(v8HeapBytes(manifest.limits.heapBytes) / 1024 ** 2) },
    // What a kernel prints goes into the cell's log, which is bounded, and not onto a stream that is not.
    stdout: true,
    stderr: true,
  });
  logOutput(worker.stdout, 30, events.onMessage);
  logOutput(worker.stderr, 40, events.onMessage);
  const verbs = new VerbCaller(manifest.id, port1);
  const loaded = Promise.withResolvers<number>();
  const started = Promise.withResolvers<string[]>();
  const drained = Promise.withResolvers<void>();
  for (const { promise } of [loaded, started, drained]) promise.catch(() => {});
  let failure: WireError | undefined;
  let ending = false;
  let stage: ThreadInventory['stage'] = 'loading';
  let verbNames: string[] = [];
  let startAsked = false;

  worker.on('message', (message: FromThread) => {
    switch (message.t) {
      case 'loaded':
        stage = 'loaded';
        loaded.resolve(message.tid);
        return;
      case 'started':
        stage = 'started';
        verbNames = message.verbs;
        started.resolve(message.verbs);
        return;
      case 'failed':
        (message.stage === 'load' ? loaded : started).reject(fromWireError(message.error));
        return;
      case 'drained':
        drained.resolve();
        return;
      case 'command':
      case 'report':
      case 'log':
        events.onMessage(message);
        return;
      default:
        message satisfies never;
    }
  });
  worker.on('error', (error) => {
    failure = toWireError(error);
  });
  worker.on('exit', (code) => {
    const gone = new GraceError(
      'KERNEL_GONE',
      `the thread of ${manifest.id} ended with code ${code}${failure ? `: ${failure.message}` : ''}`,
    );
    for (const waiting of [loaded, started, drained]) waiting.reject(gone);
    verbs.end();
    events.onExit(code, failure, ending);
  });

  const send = (message: ToThread, transfer: MessagePort[] = []): void => worker.postMessage(message, transfer);
  return {
    kernel: manifest.id,
    incarnation,
    order,
    worker,
    slot,
    get tid() {
      return Number(Atomics.load(slot, SLOT.tid));
    },
    get stage() {
      return stage;
    },
    get isEnding() {
      return ending || Atomics.load(slot, SLOT.ending) !== 0n;
    },
    get verbNames() {
      return verbNames;
    },
    verbs,
    cap: null,
    loaded: loaded.promise,
    start() {
      if (!startAsked) send({ t: 'start' });
      startAsked = true;
      return started.promise;
    },
    drain() {
      send({ t: 'drain', deadlineMs: manifest.drainDeadlineMs });
      return drained.promise;
    },
    async terminate(deadlineMs) {
      ending = true;
      return await within(worker.terminate(), deadlineMs, `the thread of ${manifest.id} could not be ended`);
    },
    send,
  };
}

/** Rejects with `DEADLINE` when `work` has not settled in time. */
export function within<T>(work: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new GraceError('DEADLINE', `${what} within ${Math.round(deadlineMs)} ms`)),
      deadlineMs,
    );
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
