import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { type Broker, createBroker } from '@grace/bus/broker';
import { type BusConnection, createBusClient } from '@grace/bus/client';
import { type AclDocument, createRedactor, GraceError, systemClock, type VerbEndpoint } from '@grace/contracts';
import * as Comlink from 'comlink';
import { type HostedKernel, type HostParts, hostKernel } from '../src/host.ts';
import type { KernelDefinition, KernelLog } from '../src/kernel.ts';
import { createListeners } from '../src/listeners.ts';

const ALL = { allow: ['>'], deny: [] };
const OPEN: AclDocument = { kernels: { publish: ALL, subscribe: ALL }, principals: {} };
const MUTE = { enabled: true, threshold: 200, windowMs: 1000, periodMs: 2000, periodMaxMs: 60_000 };

export interface Bed {
  readonly home: string;
  readonly broker: Broker;
  /** A port that the broker takes for this principal. */
  port(principal: string, messagesPerSecond?: number): MessagePort;
  /** A client of the broker. */
  client(principal: string): BusConnection;
  /** Hosts a kernel in this thread; drained at the end of the test if it has not been before. */
  host(definition: KernelDefinition, parts?: Partial<HostParts>): Promise<HostedKernel>;
}

/** A real broker, real clients, a real folder, until the test ends. */
export function openBed(t: TestContext): Bed {
  const home = folder(t);
  const broker = createBroker({ acl: OPEN, mute: MUTE, maxPayloadBytes: 1e6 });
  const clients: BusConnection[] = [];
  const kernels: HostedKernel[] = [];
  const port = (principal: string, messagesPerSecond = 1e6): MessagePort => {
    const { port1, port2 } = new MessageChannel();
    broker.attach(port1, { principal, incarnation: 1, messagesPerSecond, kernel: true });
    return port2;
  };
  const client = (principal: string): BusConnection => {
    const made = createBusClient();
    clients.push(made);
    made.attach(port(principal));
    return made;
  };
  t.after(async () => {
    for (const kernel of kernels) await kernel.drain().catch(() => {});
    for (const made of clients) await made.close();
    await broker.close();
  });
  return {
    home,
    broker,
    port,
    client,
    async host(definition, parts = {}) {
      const kernel = await hostKernel(definition, {
        id: definition.id,
        title: definition.id,
        awaitsBus: true,
        incarnation: 1,
        config: {},
        stateDir: home,
        bus: parts.bus ?? client(definition.id),
        log: recordLog([]),
        clock: systemClock,
        supervisor: { command: async () => {}, report: () => {} },
        broker: null,
        listeners: createListeners(recordLog([])),
        redactor: createRedactor(),
        onWork: () => {},
        ...parts,
      });
      kernels.push(kernel);
      return kernel;
    },
  };
}

export interface Logged {
  level: string;
  message: string;
  fields: Record<string, unknown> | undefined;
}

export function recordLog(into: Logged[]): KernelLog {
  const at =
    (level: string) =>
    (message: string, fields?: Record<string, unknown>): void =>
      void into.push({ level, message, fields });
  return { trace: at('trace'), debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'grace-sdk-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The host's end of a verb lane. */
export function verbsOf(port: MessagePort): Comlink.Remote<VerbEndpoint> {
  return Comlink.wrap<VerbEndpoint>({
    postMessage: (message) => port.postMessage(message),
    addEventListener: (_type, listener) => {
      port.on('message', (data: unknown) => (listener as (event: { data: unknown }) => void)({ data }));
    },
    removeEventListener: () => {},
  });
}

/** Polls until `condition` gives a truthy value, and returns it. */
export async function poll<T>(
  what: string,
  condition: () => T | Promise<T>,
  deadlineMs = 30_000,
): Promise<Exclude<T, null | undefined | false>> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value as Exclude<T, null | undefined | false>;
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Rejects when nothing has settled in time, so that a lost answer fails a test and does not hold it. */
export async function within<T>(what: string, work: Promise<T>, deadlineMs = 30_000): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not within ${deadlineMs} ms: ${what}`)), deadlineMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** For `assert.throws` and `assert.rejects`: a GraceError of this code whose message fits. */
export function graceError(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    if (error instanceof GraceError && error.code === code && message.test(error.message)) return true;
    throw new Error(`expected ${code} ${message}, got ${error}`, { cause: error });
  };
}
