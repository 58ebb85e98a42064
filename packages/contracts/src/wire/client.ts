import type { AclDocument } from '../envelope.ts';
import type { AnyDraft, AnyRecord, EventName } from '../events.ts';
import type { DrillPermit, FaultKind, FaultLease } from '../fault.ts';
import type { Incident } from '../incident.ts';
import type { CpuMethod } from '../limits.ts';
import type { StatusDocument } from '../status.ts';
import type { ProfileKind, StackFrame } from './cell.ts';

/** Requests of command line, laboratory and other clients to the supervisor: method -> params and result. */
export interface ClientMethods {
  hello: {
    params: { protocol: number; role: 'client' | 'runner'; name: string };
    result: { pid: number; version: string; armed: boolean };
  };
  status: { params: Record<string, never>; result: StatusDocument };
  /** Resolves when every kernel is ready or has failed. */
  ready: {
    params: Record<string, never>;
    result: {
      ready: number;
      total: number;
      ms: number;
      failed: { kernel: string; error: { code: string; message: string } }[];
    };
  };
  stop: { params: { timeoutMs: number; reason: string }; result: { stopping: true } };
  restart: { params: { kernel: string; by: string }; result: { kernel: string; incarnation: number } };
  /** Moves the kernel into a cell of its own. */
  isolate: { params: { kernel: string; by: string }; result: { kernel: string; cell: string } };
  /** Drains the kernel and keeps it down until `resume` or `restart`. */
  pause: { params: { kernel: string; by: string }; result: { kernel: string } };
  resume: { params: { kernel: string; by: string }; result: { kernel: string; incarnation: number } };
  /** Ends the kernel and keeps it down, with an escalated incident. */
  quarantine: { params: { kernel: string; by: string; reason: string }; result: { kernel: string } };
  /** Holds the kernel to a share of one core; null lifts what was set by hand. `forMs`: it ends by itself; null: it stays. */
  throttle: {
    params: { kernel: string; by: string; cpu: number | null; forMs: number | null };
    result: { kernel: string; cpu: number | null; method: CpuMethod };
  };
  stack: { params: { kernel: string }; result: { frames: StackFrame[]; ms: number } };
  /** Takes a profile and keeps it as evidence. */
  profile: {
    params: { kernel: string; kind: ProfileKind; durationMs: number };
    result: { file: string; bytes: number; top: string[] };
  };
  /** One functional probe, now. */
  probe: { params: { kernel: string }; result: { ok: boolean; ms: number; detail: Record<string, unknown> } };
  call: { params: { kernel: string; verb: string; input: unknown; from: string }; result: unknown };
  verbs: { params: { kernel: string }; result: string[] };
  incidents: { params: { id?: string }; result: Incident[] };
  /** `last`: the last record of this page (`after` when it is empty); ask again from there until a page is empty. */
  'journal.read': {
    params: { after: number; limit: number; names?: EventName[] };
    result: { records: AnyRecord[]; last: number };
  };
  /** From then on notices `journal` with records; a follower that reads too slowly is told how many it missed. */
  'journal.follow': { params: { after: number }; result: { last: number } };
  'journal.append': { params: { records: AnyDraft[] }; result: { last: number } };
  /** Where the bus listens and a token for a principal that is no kernel. */
  'bus.token': { params: { principal: string }; result: { socket: string; token: string } };
  /** Replaces the access rules, whole or not at all. `applied` false: message_bus is down and starts with them. */
  'bus.reload': {
    params: { acl: AclDocument; by: string };
    result: { principals: number; sha256: string; applied: boolean; ended: number };
  };
  'drill.permit': { params: { holder: string; faults: FaultKind[]; durationMs: number }; result: DrillPermit };
  'drill.revoke': { params: { id: string }; result: Record<string, never> };
  'fault.apply': { params: { lease: FaultLease }; result: { appliedMono: number } };
  'fault.renew': { params: { id: string }; result: { active: boolean } };
  'fault.undo': { params: { id: string }; result: { verified: boolean } };
  /** Leases the targets hold at this moment. */
  'fault.list': {
    params: Record<string, never>;
    result: { id: string; kind: string; target: string; untilMono: number }[];
  };
}

export type ClientMethod = keyof ClientMethods;

/** Notices of the supervisor to clients that follow. */
export interface ClientNotices {
  journal: { records: AnyRecord[]; missed: number };
}
