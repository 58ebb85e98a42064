import type { WireError } from '../errors.ts';
import type { EventDraft, EventName } from '../events.ts';
import type { FaultLease } from '../fault.ts';
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
}

/** Requests of the supervisor to a cell agent. */
export interface CellMethods {
  /** Makes the thread and loads the module; `start` is not run before `kernel.start`. Resolves when the module is loaded. */
  'kernel.spawn': { params: KernelOrder; result: { tid: number } };
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
    params: { protocol: number; cell: string; pid: number; incarnation: number };
    result: { cell: string };
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
}
