import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { type Broker, createBroker } from '@grace/bus/broker';
import { type BusConnection, createBusClient } from '@grace/bus/client';
import {
  type AclDocument,
  type AnyDraft,
  type AnyRecord,
  createRedactor,
  GraceError,
  type MemoryPressure,
  type SupervisorCommand,
  systemClock,
} from '@grace/contracts';
import {
  type BrokerAccess,
  createListeners,
  type HostedKernel,
  type HostParts,
  hostKernel,
  type KernelDefinition,
  type KernelLog,
  type Listeners,
} from '@grace/kernel-sdk';

export interface RigOptions {
  config?: Record<string, Record<string, unknown>>;
  /** Default: every principal may do everything, so that a test of a kernel is not a test of configs/acl.yaml. */
  acl?: AclDocument;
  /** Answers what kernels ask of the supervisor; default: refused. */
  commands?: (kernel: string, command: SupervisorCommand, input: unknown) => unknown;
}

export interface KernelRig {
  readonly home: string;
  call(kernel: string, verb: string, input?: unknown, deadlineMs?: number): Promise<unknown>;
  probe(kernel: string): Promise<Record<string, unknown>>;
  /** A client of the real broker as this principal. */
  bus(principal: string): BusConnection;
  /** Publishes a journal record the way message_bus does: `system.events.<noun>.<verb>`. */
  feed(record: AnyRecord): Promise<void>;
  /** Tells the kernel that its memory is short; resolves when its handlers have come back. */
  press(kernel: string, pressure: MemoryPressure): Promise<void>;
  /** Drains the kernel and starts a new incarnation on the same state. */
  restart(kernel: string): Promise<void>;
  stateDir(kernel: string): string;
  readonly reports: { kernel: string; event: AnyDraft }[];
  readonly logs: { kernel: string; level: string; message: string; fields: Record<string, unknown> | undefined }[];
  readonly broker: Broker;
  close(): Promise<void>;
}

const ALL = { allow: ['>'], deny: [] };
const OPEN_ACL: AclDocument = { kernels: { publish: ALL, subscribe: ALL }, principals: {} };

/**
 * Hosts kernels in this thread with everything real but their thread: the real broker and client, real stores and folders.
 * When `message_bus` is among the definitions, it hosts the broker; else the rig does.
 */
export async function rigKernels(definitions: KernelDefinition[], options: RigOptions = {}): Promise<KernelRig> {
  const home = mkdtempSync(join(tmpdir(), 'grace-rig-'));
  const acl = options.acl ?? OPEN_ACL;
  const key = new Uint8Array(32).fill(7);
  const mute = { enabled: true, threshold: 200, windowMs: 1000, periodMs: 2000, periodMaxMs: 60_000 };
  const reports: KernelRig['reports'] = [];
  const logs: KernelRig['logs'] = [];
  const hosted = new Map<string, { kernel: HostedKernel; listeners: Listeners; incarnation: number }>();
  const outside: BusConnection[] = [];
  const hasOwnBroker = definitions.some((definition) => definition.id === 'message_bus');
  const broker = createBroker({ acl, mute, maxPayloadBytes: 1e6 });
  const waiting: Parameters<Parameters<BrokerAccess['onClient']>[0]>[0][] = [];
  let onClient: Parameters<BrokerAccess['onClient']>[0] | undefined;
  let onFeed: Parameters<BrokerAccess['onFeed']>[0] | undefined;

  const connect = (principal: string, incarnation: number): BusConnection => {
    const { port1, port2 } = new MessageChannel();
    const identity = { principal, incarnation, messagesPerSecond: 1e6, kernel: true };
    if (!hasOwnBroker) broker.attach(port2, identity);
    else if (onClient) onClient({ port: port2, ...identity });
    else waiting.push({ port: port2, ...identity });
    const client = createBusClient();
    client.attach(port1);
    return client;
  };

  const access = (bus: BusConnection): BrokerAccess => ({
    socket: join(home, 'bus.sock'),
    key,
    acl,
    mute,
    maxPayloadBytes: 1e6,
    onClient(handler) {
      onClient = handler;
      for (const client of waiting.splice(0)) handler(client);
    },
    onFeed(handler) {
      onFeed = handler;
    },
    connectSelf: (port) => bus.attach(port),
  });

  const begin = async (definition: KernelDefinition, incarnation: number): Promise<void> => {
    const { id } = definition;
    const stateDir = join(home, id);
    mkdirSync(stateDir, { recursive: true });
    const bus = id === 'message_bus' ? createBusClient() : connect(id, incarnation);
    const log = recordLog(id, logs);
    const listeners = createListeners(log);
    const parts: HostParts = {
      id,
      title: id,
      awaitsBus: id !== 'message_bus',
      incarnation,
      config: options.config?.[id] ?? {},
      stateDir,
      bus,
      log,
      clock: systemClock,
      supervisor: {
        command: async (command, input) => {
          if (!options.commands) throw new GraceError('FORBIDDEN', `the rig answers no "${command}"`);
          return await options.commands(id, command, input);
        },
        report: (event) => void reports.push({ kernel: id, event }),
      },
      broker: id === 'message_bus' ? access(bus) : null,
      listeners,
      redactor: createRedactor(),
      onWork: () => {},
    };
    try {
      hosted.set(id, { kernel: await hostKernel(definition, parts), listeners, incarnation });
    } catch (error) {
      await bus.close();
      throw error;
    }
  };

  const host = (id: string) => {
    const found = hosted.get(id);
    if (!found) throw new GraceError('UNKNOWN_KERNEL', `the rig hosts no ${id}`);
    return found;
  };

  const rig: KernelRig = {
    home,
    broker,
    reports,
    logs,
    call: (id, verb, input, deadlineMs = 10_000) => host(id).kernel.invoke(verb, input, { from: 'test', deadlineMs }),
    probe: (id) => host(id).kernel.probe(),
    press: (id, pressure) => host(id).listeners.pressed(pressure),
    bus(principal) {
      const client = connect(principal, 1);
      outside.push(client);
      return client;
    },
    async feed(record) {
      if (onFeed) onFeed([record], 0);
      else {
        const client = connect('supervisor', 1);
        await client.publish(`system.events.${record.name.replace(':', '.')}`, record);
        await client.close();
      }
    },
    async restart(id) {
      const definition = definitions.find((candidate) => candidate.id === id)!;
      const { kernel: old, incarnation } = hosted.get(id)!;
      await old.drain();
      await begin(definition, incarnation + 1);
    },
    stateDir: (id) => join(home, id),
    async close() {
      for (const { kernel } of [...hosted.values()].reverse()) await kernel.drain();
      for (const client of outside) await client.close();
      await broker.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
  try {
    for (const definition of definitions) await begin(definition, 1);
  } catch (error) {
    await rig.close();
    throw error;
  }
  return rig;
}

function recordLog(kernel: string, logs: KernelRig['logs']): KernelLog {
  const at =
    (level: string) =>
    (message: string, fields?: Record<string, unknown>): void =>
      void logs.push({ kernel, level, message, fields });
  return { trace: at('trace'), debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
