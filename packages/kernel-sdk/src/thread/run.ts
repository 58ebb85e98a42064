/**
 * What a kernel thread is made of. Its host twin is supervisor/src/cell/thread-handle.ts; their messages are in contracts/src/wire/thread.ts.
 * Order: heartbeat first (a slow import is not a hang), then the module, then `start` when the supervisor says so.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { createBusClient } from '@grace/bus/client';
import {
  type BusWire,
  createRedactor,
  type FromThread,
  type MemoryPressure,
  SLOT,
  systemClock,
  type ThreadBirth,
  type ToThread,
  toWireError,
} from '@grace/contracts';
import { type HostedKernel, hostKernel } from '../host.ts';
import type { KernelDefinition } from '../kernel.ts';
import { createListeners } from '../listeners.ts';
import { createBrokerLane } from './broker-lane.ts';
import { createCollector } from './collect.ts';
import { redactCrashes } from './crash-lane.ts';
import type { FaultSwitch } from './fault-switch.ts';
import { readThreadId, startHeartbeat } from './heartbeat.ts';
import { createLogLane } from './log-lane.ts';
import { boundPrinting } from './print-lane.ts';
import { createServedTime, noteMessages } from './served-time.ts';
import { createSupervisorLane } from './supervisor-lane.ts';
import { serveVerbs } from './verb-server.ts';

/** @param loadKernel brings the kernel this thread is for; what it throws is told as a failed load */
export function runThread(loadKernel: (birth: ThreadBirth) => Promise<KernelDefinition>): void {
  const birth = workerData as ThreadBirth;
  const slot = new BigInt64Array(birth.slot);
  const parent = parentPort!;
  /** Knows what this thread was given; nothing leaves it by log, print, report, error or crash before it was here. */
  const redactor = createRedactor();
  const send = (message: FromThread): void => parent.postMessage(redactor.value(message));
  redactCrashes(redactor);
  process.once('exit', () => Atomics.store(slot, SLOT.ending, 1n));

  let faults: FaultSwitch | undefined;
  const bus = createBusClient();
  const serve = createServedTime(slot);
  noteMessages(bus, birth.kernel, serve);
  const tid = readThreadId();
  Atomics.store(slot, SLOT.tid, BigInt(tid));
  startHeartbeat(slot, birth.heartbeatMs, () => faults?.heartbeatPaused() ?? false, countMessages);

  const log = createLogLane(slot, birth.logLevel, send);
  boundPrinting(log.warn, redactor);
  const listeners = createListeners(log);
  const collect = createCollector();
  const supervisor = createSupervisorLane(send);
  const broker = birth.broker ? createBrokerLane(birth.broker, bus) : null;
  let hosted: HostedKernel | undefined;

  const wire = (to: BusWire): void => {
    if (to.kind === 'port') bus.attach(to.port);
    else bus.dial(to.path, to.token);
  };

  parent.on('message', (message: ToThread) => {
    switch (message.t) {
      case 'start':
        void start();
        return;
      case 'drain':
        void drain();
        return;
      case 'bus':
        wire(message.wire);
        return;
      case 'bus-client':
      case 'feed':
        broker?.receive(message);
        return;
      case 'pressure':
        void relieve(message.pressure);
        return;
      case 'need':
        listeners.needChanged(message.need, message.up);
        return;
      case 'fault':
        faults?.apply(message.kind, message.params);
        return;
      case 'command-result':
        supervisor.settle(message.id, { value: message.value });
        return;
      case 'command-error':
        supervisor.settle(message.id, { error: message.error });
        return;
      default:
        message satisfies never;
    }
  });

  const loading = load();

  async function load() {
    try {
      if (birth.armed) faults = (await import('./fault-switch.ts')).createFaultSwitch(slot);
      const definition = await loadKernel(birth);
      if (birth.bus) wire(birth.bus);
      send({ t: 'loaded', tid });
      return definition;
    } catch (error) {
      send({ t: 'failed', stage: 'load', error: toWireError(error, 'KERNEL_START') });
      return undefined;
    }
  }

  async function start(): Promise<void> {
    const definition = await loading;
    if (!definition) return;
    try {
      hosted = await hostKernel(definition, {
        id: birth.kernel,
        title: birth.title,
        awaitsBus: birth.awaitsBus,
        incarnation: birth.incarnation,
        config: birth.config,
        stateDir: birth.stateDir,
        bus,
        log,
        clock: systemClock,
        supervisor,
        broker,
        listeners,
        redactor,
        onWork: () => void Atomics.add(slot, SLOT.work, 1n),
        onServe: serve,
      });
      serveVerbs(birth.verbs, hosted);
      send({ t: 'started', verbs: hosted.verbs });
    } catch (error) {
      send({ t: 'failed', stage: 'start', error: toWireError(error, 'KERNEL_START') });
    }
  }

  /** The kernel lets go of what it can; then what it let go of is collected. */
  async function relieve(pressure: MemoryPressure): Promise<void> {
    await listeners.pressed(pressure);
    await collect().catch((error: unknown) => log.error('garbage could not be collected', { error: String(error) }));
  }

  /** Counted by the bus client anyway, and copied with each heartbeat: a message costs nothing more. */
  function countMessages(): void {
    const { published, overloaded } = bus.counters();
    Atomics.store(slot, SLOT.published, BigInt(published));
    Atomics.store(slot, SLOT.refused, BigInt(overloaded));
  }

  async function drain(): Promise<void> {
    try {
      await hosted?.drain();
    } catch (error) {
      log.error('drain failed', { error: error instanceof Error ? error.message : String(error) });
    }
    send({ t: 'drained' });
  }
}
