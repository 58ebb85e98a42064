import type { MessagePort } from 'node:worker_threads';
import type { WireError } from '../errors.ts';
import type { AnyDraft } from '../events.ts';
import type { ThreadFault } from '../fault.ts';
import type { MemoryPressure } from '../limits.ts';
import type { SupervisorCommand } from '../manifest.ts';

/** `workerData` of a kernel thread. Its host twin is supervisor/src/cell/thread-handle.ts, its thread side kernel-sdk/src/thread/main.ts. */
export interface ThreadBirth {
  kernel: string;
  title: string;
  incarnation: number;
  module: string;
  builtin: boolean;
  heartbeatMs: number;
  config: Readonly<Record<string, unknown>>;
  /** Telemetry slot, see telemetry.ts. */
  slot: SharedArrayBuffer;
  /** Folder of the kernel's own state, exists. */
  stateDir: string;
  /** The verb endpoint (comlink). */
  verbs: MessagePort;
  bus: BusWire | null;
  /** It needs message_bus: its verbs are on the bus before it counts as started. */
  awaitsBus: boolean;
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  armed: boolean;
  messagesPerSecond: number;
  /** Only for the kernel that runs the broker. */
  broker: BrokerBirth | null;
}

/** How a kernel reaches the broker: by a port when both live in one cell, else by the broker's socket. */
export type BusWire = { kind: 'port'; port: MessagePort } | { kind: 'socket'; path: string; token: string };

export interface BrokerBirth {
  socket: string;
  /** Verifies the tokens of those who dial. */
  key: Uint8Array;
  acl: unknown;
  mute: { enabled: boolean; threshold: number; windowMs: number; periodMs: number; periodMaxMs: number };
  maxPayloadBytes: number;
}

/** Control lane, cell agent -> thread. */
export type ToThread =
  | { t: 'start' }
  | { t: 'drain'; deadlineMs: number }
  /** A successor of the broker is there: use this wire from now on. */
  | { t: 'bus'; wire: BusWire }
  /** In the broker's thread: a kernel of the same cell is wired by this port. */
  | { t: 'bus-client'; port: MessagePort; principal: string; incarnation: number; messagesPerSecond: number }
  | { t: 'pressure'; pressure: MemoryPressure }
  | { t: 'need'; need: string; up: boolean }
  | { t: 'fault'; kind: ThreadFault; lease: string; params: Record<string, unknown> }
  | { t: 'command-result'; id: number; value: unknown }
  | { t: 'command-error'; id: number; error: WireError }
  | { t: 'feed'; records: unknown[]; missed: number };

/** Control lane, thread -> cell agent. */
export type FromThread =
  | { t: 'loaded'; tid: number }
  | { t: 'started'; verbs: string[] }
  | { t: 'failed'; stage: 'load' | 'start'; error: WireError }
  | { t: 'drained' }
  | { t: 'command'; id: number; command: SupervisorCommand; input: unknown }
  | { t: 'report'; event: AnyDraft }
  | { t: 'log'; level: number; wallMs: number; message: string; fields?: Record<string, unknown> };

/**
 * Calls over the verb endpoint: the object the thread exposes through comlink. Failures are values, because comlink keeps only the
 * message of a thrown error and Grace's errors have codes.
 */
export interface VerbEndpoint {
  probe(): Promise<VerbAnswer>;
  invoke(verb: string, input: unknown, meta: VerbMeta): Promise<VerbAnswer>;
}

export type VerbAnswer = { ok: true; value: unknown } | { ok: false; error: WireError };

export interface VerbMeta {
  /** Principal that calls. */
  from: string;
  deadlineMs: number;
  correlation?: string;
  /** Id of the message that asked, when it came over the bus: what a verb sets going names it as its cause. */
  id?: string;
}
