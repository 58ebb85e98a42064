import type { BusClient } from '@grace/bus/client';
import type { AnyDraft, Clock, MemoryPressure, SupervisorCommand, VerbMeta } from '@grace/contracts';
import type { KernelStore } from './store.ts';

/** A kernel: one module whose default export is this, and one manifest. */
export interface KernelDefinition {
  /** Must equal the id in the manifest. */
  id: string;
  /** Makes the kernel ready to do its job. Throwing here is a start failure; the supervisor decides what follows. */
  start(ctx: KernelContext): Promise<KernelInstance> | KernelInstance;
}

export interface KernelInstance {
  /** What others may ask of it. Each takes one JSON-like input and is checked by the kernel at its border. */
  verbs: Record<string, Verb>;
  /** Does the kernel's job once, for real, and returns what it saw. Throws when the job cannot be done. It must be able to fail. */
  probe(): Promise<Record<string, unknown>> | Record<string, unknown>;
  /** Finish what is held; `ctx.signal` is aborted already. Called once, with a deadline. */
  drain?(): Promise<void> | void;
}

// biome-ignore lint/suspicious/noExplicitAny: a verb states its own input type and checks what arrives
export type Verb = (input: any, meta: VerbMeta) => unknown;

export type PressureHandler = (pressure: MemoryPressure) => Promise<void> | void;
export type NeedHandler = (need: string, up: boolean) => void;

export interface KernelContext {
  readonly id: string;
  readonly incarnation: number;
  /** Settings from the manifest and grace.yaml. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The kernel's own folder; survives restarts. */
  readonly stateDir: string;
  readonly bus: BusClient;
  /** The kernel's own SQLite file, opened at first use; survives restart and `kill -9`. */
  readonly store: KernelStore;
  readonly log: KernelLog;
  readonly clock: Clock;
  /** Aborted when the kernel is asked to drain. */
  readonly signal: AbortSignal;
  /** Calls a verb of another kernel over the bus, as this kernel's principal. */
  call(
    kernel: string,
    verb: string,
    input?: unknown,
    options?: { deadlineMs?: number; correlation?: string },
  ): Promise<unknown>;
  /** Secrets of this system that were granted to this kernel. */
  readonly secrets: SecretAccess;
  /**
   * Runs `work` every `ms`, never twice at once; an error is logged, not lost. Ends with the kernel.
   * @throws GraceError `BAD_INPUT` when `ms` is not from 1 to 2^31-1
   */
  every(ms: number, work: () => Promise<void> | void): void;
  /**
   * Calls `handler` when its memory is short: from 80 % of a limit on, at most once a second, never twice at once. It lets go of what it can
   * make again. At the limit the kernel is restarted. Several handlers are called side by side; an error is logged, not lost.
   */
  onPressure(handler: PressureHandler): void;
  /** Calls `handler` when a kernel named in `needs` goes down, and when it is ready again; not for what it finds at its start. */
  onNeed(handler: NeedHandler): void;
  readonly supervisor: SupervisorAccess;
  /** The broker's birth certificate; only in the kernel that runs the broker. */
  readonly broker: BrokerAccess | null;
}

export interface KernelLog {
  trace(message: string, fields?: Record<string, unknown>): void;
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export interface SecretAccess {
  /**
   * Leases a secret from secret_manager. From then on its value is left out of whatever this thread logs, prints, reports, publishes or
   * throws. Ask again when the lease ends, or when `kernel.secret_manager.event.rotated` names it.
   * @throws GraceError `NOT_FOUND`, `FORBIDDEN`, or what the bus or the policies answer
   */
  get(name: string, options?: { version?: number; leaseMs?: number; deadlineMs?: number }): Promise<LeasedSecret>;
  /** The same care for a value that came from elsewhere. False: shorter than 8 characters, it cannot be told from ordinary text. */
  know(value: string): boolean;
}

/** What secret_manager's verb `get` answers. */
export interface LeasedSecret {
  name: string;
  value: string;
  version: number;
  lease: string;
  /** Wall time, ISO 8601. */
  expires: string;
}

export interface SupervisorAccess {
  /**
   * Asks the supervisor for something the manifest grants under `commands`.
   * @throws GraceError `FORBIDDEN`, `DEADLINE`, or the supervisor's own refusal
   */
  command(command: SupervisorCommand, input: unknown, deadlineMs?: number): Promise<unknown>;
  /** Writes an event into the journal; only those listed for this kernel in `KERNEL_EVENTS`. */
  report(event: AnyDraft): void;
}

export interface BrokerAccess {
  readonly socket: string;
  readonly key: Uint8Array;
  readonly acl: unknown;
  readonly mute: { enabled: boolean; threshold: number; windowMs: number; periodMs: number; periodMaxMs: number };
  readonly maxPayloadBytes: number;
  /** Called for each kernel of the same cell that is wired by a port, also for those wired before it was set. */
  onClient(
    handler: (client: {
      port: import('node:worker_threads').MessagePort;
      principal: string;
      incarnation: number;
      messagesPerSecond: number;
    }) => void,
  ): void;
  /** Called with journal records to be published as `system.events.<name>`. */
  onFeed(handler: (records: unknown[], missed: number) => void): void;
  /** Gives `ctx.bus` its wire once the broker runs. */
  connectSelf(port: import('node:worker_threads').MessagePort): void;
}

/** States the type of a kernel; the value is returned as it is. A plain object of the same shape is a kernel too. */
export function defineKernel(definition: KernelDefinition): KernelDefinition {
  return definition;
}
