import type { AclDocument } from '../envelope.ts';
import type { WireError } from '../errors.ts';
import type { EventDraft, EventName } from '../events.ts';
import type { FaultLease } from '../fault.ts';
import type { CpuMethod, MemoryPressure } from '../limits.ts';
import type { KernelManifest, SupervisorCommand } from '../manifest.ts';
import type { CellSample } from '../telemetry.ts';

/** A thread to be started. */
export interface KernelOrder {
  manifest: KernelManifest;
  incarnation: number;
  /** Principal token for the bus socket. */
  busToken: string;
  /** Whether the fault switch exists in this thread. */
  armed: boolean;
  /** The cell in which message_bus lives at this moment: port wires there, sockets elsewhere. */
  brokerCell: string;
  /** For message_bus: access rules in force that are not those of the plan. */
  acl?: AclDocument;
}

/** Requests of the supervisor to a cell agent. */
export interface CellMethods {
  /**
   * Makes the thread and loads the module; `start` is not run before `kernel.start`. Resolves when the module is loaded, and the thread is
   * held to its manifest's CPU limit, if it has one: `limit` says by what.
   */
  'kernel.spawn': {
    params: KernelOrder;
    result: { tid: number; limit?: { method: CpuMethod; cpu: number | null } };
  };
  /** Runs `start`. */
  'kernel.start': { params: { kernel: string; incarnation: number }; result: { verbs: string[] } };
  'kernel.probe': {
    params: { kernel: string; incarnation: number; deadlineMs: number };
    result: Record<string, unknown>;
  };
  'kernel.call': {
    params: { kernel: string; verb: string; input: unknown; from: string; deadlineMs: number };
    result: unknown;
  };
  'kernel.drain': { params: { kernel: string; incarnation: number; deadlineMs: number }; result: { drained: boolean } };
  /** Ends the thread. `DEADLINE` when `terminate()` does not return: then only the end of the process helps. */
  'kernel.terminate': { params: { kernel: string; incarnation: number; deadlineMs: number }; result: { code: number } };
  /**
   * Holds the thread to a share of one core from now on; null: back to its manifest's limit. What really holds it comes back: a method other
   * than the cell's where that one failed, and `cpu` null where nothing holds it.
   */
  'kernel.limit': {
    params: { kernel: string; incarnation: number; cpu: number | null };
    result: { method: CpuMethod; cpu: number | null };
  };
  /** Tells the kernel that its memory is short (`ctx.onPressure`). */
  'kernel.pressure': { params: { kernel: string; incarnation: number; pressure: MemoryPressure }; result: object };
  /** Where the thread is at this moment. `DEADLINE` when it sits in native code: then it has no JavaScript frame to show. */
  'kernel.stack': {
    params: { kernel: string; incarnation: number; deadlineMs: number };
    result: { frames: StackFrame[]; ms: number };
  };
  /** Writes a profile of the thread into `file` (absolute, in the home's evidence folder). */
  'kernel.profile': {
    params: { kernel: string; incarnation: number; kind: ProfileKind; durationMs: number; file: string };
    result: { file: string; bytes: number; top: string[] };
  };
  'fault.apply': { params: { lease: FaultLease }; result: { appliedMono: number } };
  'fault.renew': { params: { id: string }; result: { active: boolean } };
  'fault.undo': { params: { id: string }; result: { verified: boolean } };
  'fault.list': {
    params: Record<string, never>;
    result: { id: string; kind: string; target: string; untilMono: number }[];
  };
  /** A full sample of every thread at once. */
  sample: { params: Record<string, never>; result: CellSample };
  /** Drains nothing: the kernels are down already. The process ends. */
  exit: { params: Record<string, never>; result: Record<string, never> };
}

/** Requests of a cell agent to the supervisor. */
export interface SupervisorMethods {
  'cell.hello': {
    params: {
      protocol: number;
      cell: string;
      pid: number;
      incarnation: number;
      threads: ThreadInventory[];
      missed: MissedNotices;
    };
    result: { cell: string; limits: CellLimits };
  };
  /** A kernel asks the supervisor for something its manifest grants. */
  'kernel.command': { params: { kernel: string; command: SupervisorCommand; input: unknown }; result: unknown };
}

/** Notices of a cell agent to the supervisor. */
export interface CellNotices {
  sample: CellSample;
  'kernel.exit': { kernel: string; incarnation: number; code: number; error?: WireError };
  /** An event a kernel reports. */
  'kernel.report': { kernel: string; incarnation: number; event: EventDraft<EventName> };
  'fault.undone': { lease: string; kernel: string; why: 'lapsed' | 'expired' | 'target gone' };
}

/** Notices of the supervisor to a cell agent. */
export interface SupervisorNotices {
  /** Journal records for the kernel that asked for the feed (message_bus publishes them as `system.events.*`). */
  feed: { kernel: string; records: unknown[]; missed: number };
  /** message_bus is started in this cell from now on. */
  'broker.cell': { cell: string };
  /** A kernel that `kernel` needs went down or came back (`ctx.onNeed`). */
  need: { kernel: string; need: string; up: boolean };
}

/** What a cell had to tell while nobody listened, oldest first. Samples are not kept. */
export interface MissedNotices {
  notices: { name: Exclude<keyof CellNotices, 'sample'>; data: unknown }[];
  /** How many more there were than it could keep. */
  dropped: number;
}

/** A thread that lives in a cell when it says hello: none at its birth, all of them to a supervisor that came back. */
export interface ThreadInventory {
  kernel: string;
  incarnation: number;
  tid: number;
  /** `loaded`: the module is there, `start` was not asked or has not returned. */
  stage: 'loading' | 'loaded' | 'started';
  verbs: string[];
}

/** Which CPU limits a cell can enforce. Found out by the supervisor at its start. */
export interface CellLimits {
  method: CpuMethod;
  /** Control group of this cell, absolute, below which it makes one for each thread that it holds; null where none can be written. */
  group: string | null;
}

export interface StackFrame {
  /** Empty for an anonymous function. */
  function: string;
  /** The source the author wrote, where a source map tells; else the file that runs. */
  file: string;
  line: number;
  column: number;
}

export type ProfileKind = 'cpu' | 'heap';
