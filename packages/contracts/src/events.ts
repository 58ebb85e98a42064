import type { UnbalancedFamily } from './envelope.ts';
import type { WireError } from './errors.ts';
import type { DrillPermit, FaultLease } from './fault.ts';
import type { DetectorMethod, Incident } from './incident.ts';
import type { RunStart, TrialStart, Withheld, WorkloadSample } from './laboratory-records.ts';
import type { Condition, KernelState } from './lifecycle.ts';
import type { CpuMethod, MemoryPressure } from './limits.ts';
import type { TunableKnob } from './tune.ts';
import type { Conservation } from './verdict.ts';

/**
 * The one vocabulary of the journal. `noun:verb`. Status, incidents, reports and verdicts are folds over these records; nothing prints
 * results on the side.
 */
export interface EventMap {
  'system:boot': {
    pid: number;
    version: string;
    node: string;
    cores: number;
    armed: boolean;
    kernels: string[];
    safeguards: Safeguards;
    /** Which limits are enforced, by which means, as in the status document. Absent: not looked at. */
    enforcement?: { cpu: string; memory: string };
    /** SHA-256 of the plan: only a supervisor with the same plan goes on where this one ends. */
    plan?: string;
  };
  'system:ready': { ready: number; total: number; ms: number; failed: { kernel: string; error: WireError }[] };
  'system:stop': { reason: string };
  'system:stopped': { left: string[] };
  /** A timer or wait of the supervisor itself was late by this much. */
  'system:lag': { lagMs: number };

  /** A supervisor took over running cells from one that died; `awayMs`: from that one's last record to
   * here; `dropped`: what cells had to tell meanwhile and could not keep. */
  'system:adopt': {
    pid: number;
    formerPid: number | null;
    awayMs: number;
    cells: string[];
    kernels: string[];
    dropped: number;
  };
  /** Something the supervisor could not do; service goes on without it. */
  'system:trouble': { what: string };
  /** A guardian started the supervisor again. */
  'system:guard': { pid: number; restarts: number; ended: string };

  'cell:start': { pid: number };
  'cell:online': { pid: number; ms: number };
  'cell:exit': { pid: number; code: number | null; signal: string | null; expected: boolean; kernels: string[] };

  /** On the way down also: the cause in one word, what follows when its thread is gone, and the last error. */
  'kernel:state': {
    from: KernelState;
    to: KernelState;
    reason: string;
    cause?: string;
    after?: 'restart' | 'stay down' | 'quarantine';
    error?: WireError;
  };
  'kernel:ready': { readyMs: number; probe: Record<string, unknown> };
  'kernel:exit': { code: number; error?: WireError; expected: boolean };
  'kernel:condition': { from: Condition; to: Condition; confidence: number; evidence: Record<string, unknown> };
  'kernel:probe': { ok: boolean; ms: number; error?: WireError; why: string };
  'kernel:restart': { cause: string; attempt: number; delayMs: number; by: string };
  'kernel:quarantine': { restarts: number; windowMs: number; cause: string };
  /** Somebody's order by hand, or a playbook's. */
  'kernel:hand': {
    order: 'restart' | 'pause' | 'resume' | 'isolate' | 'quarantine' | 'throttle';
    by: string;
    reason: string;
    /** Of a throttle: the share of one core, null when it is lifted, and after how long it ends by itself. */
    cpu?: number | null;
    forMs?: number | null;
  };
  /** Its CPU limit from now on; `cpu` null: lifted. `method` is what really holds it. */
  'kernel:limit': { cpu: number | null; method: CpuMethod; why: 'manifest' | 'hand' | 'overload'; by: string };
  /** A value of its manifest is another one from now on, until the next boot. */
  'kernel:tune': { knob: TunableKnob; from: number; to: number; by: string; reason: string };
  'kernel:pressure': MemoryPressure & { bytesPerSecond: number | null };
  /** It moves to another cell: alone because it took its cell down, by hand, or back after a stable time. */
  'kernel:move': { from: string; to: string; why: 'solitary' | 'isolate' | 'return' };
  /** Something to look at was kept: a file below the home's evidence folder. */
  'kernel:evidence': {
    kind: EvidenceKind;
    incident: string | null;
    /** Relative to the home. */
    file: string;
    bytes: number;
    /** The most telling lines. */
    top: string[];
  };
  'kernel:stuck': { rung: string; evidence: Record<string, unknown> };

  'incident:open': { incident: Omit<Incident, 'events' | 'detectors' | 'openedWall'> };
  'incident:close': { id: string; outcome: string };
  'incident:escalate': { id: string; reason: string };
  'detector:fire': { method: DetectorMethod; incident: string; subject: string; evidence: Record<string, unknown> };

  'playbook:start': { run: string; playbook: string; incident: string; target: string; dryRun: boolean };
  'playbook:step': { run: string; step: string; ok: boolean; ms: number; detail: string };
  'playbook:end': {
    run: string;
    playbook: string;
    incident: string;
    outcome: PlaybookOutcome;
    ms: number;
    detail: string;
  };

  'bus:denied': { principal: string; subject: string; count: number; sinceMs: number };
  /** `by`: who ordered it; absent: the broker itself. */
  'bus:muted': { principal: string; periodMs: number; denied: number; level?: number; by?: string; incident?: string };
  'bus:unmuted': { principal: string; by?: string };
  'bus:permit': {
    id: string;
    principal: string;
    publish: readonly string[];
    subscribe: readonly string[];
    periodMs: number;
    by: string;
  };
  /** `by` absent: its time was over. */
  'bus:revoke': { id: string; principal: string; by?: string };
  /** The access rules of the running system were replaced. `applied` false: message_bus was down and starts with them. */
  'bus:acl': { by: string; principals: number; sha256: string; applied: boolean; ended: number };
  /** The account of a family does not add up: something was lost or counted twice. Told when it begins and when the difference changes. */
  'bus:unbalanced': UnbalancedFamily;
  /** It adds up again; how many families still do not. */
  'bus:balanced': { family: string; unbalanced: number };
  /** What waits for a durable consumer passed the mark (`over`), or fell below half of it again. */
  'bus:backlog': {
    consumer: string;
    pattern: string;
    waiting: number;
    bytes: number;
    /** Age of the oldest that waits, ms; null: none waits. */
    oldestMs: number | null;
    over: boolean;
  };
  /** Durable messages whose last attempt failed; at most one record a second, with how many since the one before, and the last of them. */
  'bus:dead-letter': { subject: string; consumer: string; attempts: number; reason: string; count: number };
  /** Dead letters went back to their consumers, or were thrown away, by somebody's order. */
  'bus:letters': {
    order: 'replay' | 'purge';
    by: string;
    count: number;
    id?: number;
    subject?: string;
    consumer?: string;
  };
  /** The storage thread of the bus ended, or could not open its file; or it is back. Meanwhile durable messages wait or are refused. */
  'bus:storage': { state: 'lost' | 'open'; words: string };
  'bus:statistics': {
    accepted: number;
    handled: number;
    rejected: number;
    expired: number;
    deadLettered: number;
    waiting: number;
    denied: number;
  };

  /** Other policies came into force. */
  'governance:policies': { version: string; former: string | null; by: string; policies: number };
  /** A file of the policies in force was altered on disk: refused; `restored` says whether its content is back. */
  'governance:drift': {
    file: string;
    what: 'changed' | 'added' | 'removed';
    /** SHA-256, hex; null: none. */
    expected: string | null;
    found: string | null;
    /** The first line that differs, as found. */
    line: { number: number; text: string } | null;
    restored: boolean;
    version: string;
  };

  /** A record that must not change has changed on the disk, or is gone in part. `count` problems in all, the first 20 here. */
  'record:damaged': { ledger: 'immutable_log' | 'journal'; count: number; problems: RecordProblem[] };
  /**
   * What became of it. `nothing`: it is whole again by itself; `truncated`: a write that never finished was cut off; `restored`: every entry
   * was found whole, damaged segments were made again; `sealed`: put away as evidence, and a new epoch begun.
   */
  'record:repaired': {
    ledger: 'immutable_log' | 'journal';
    action: 'nothing' | 'truncated' | 'restored' | 'sealed';
    by: string;
    /** The epoch that is written now. */
    epoch: number;
    /** Entries that can be read no more, and those that are not what was acknowledged. */
    lost: number;
    disputed: number;
    /** Segments that were made again. */
    restored: string[];
    tookMs: number;
  };

  'drill:permit': DrillPermit;
  'drill:revoke': { id: string };
  'fault:lease': FaultLease;
  'fault:inject': { lease: string; target: string; kind: string };
  /** The fault's own effect probe, independent of the detectors under test. */
  'fault:effect': { lease: string; proven: boolean; observed: Record<string, unknown>; atMono: number };
  'fault:undo': { lease: string; why: 'requested' | 'lapsed' | 'expired' | 'target gone'; verified: boolean };

  'run:start': RunStart;
  'wave:start': { wave: number; severity: string; trials: string[] };
  'wave:skip': { wave: number; severity: string; reason: string };
  'wave:end': { wave: number };
  'steady:check': {
    wave: number;
    when: 'before' | 'after';
    ok: boolean;
    heldMs: number;
    checks: { check: string; ok: boolean; observed: string }[];
  };
  'trial:start': TrialStart;
  /** Observations of the target during a trial, each by its own method; null = could not be evaluated. */
  'trial:observe': {
    trial: string;
    atMono: number;
    probe: boolean | null;
    heartbeat: boolean | null;
    workload: boolean | null;
    metric: boolean | null;
  };
  'trial:check': { trial: string; check: string; expected: string; observed: string; ok: boolean | null };
  /** `withheld`: when the machine did not let the runner, the supervisor, a cell or the target run; absent: never, or it cannot tell. */
  'trial:end': { trial: string; timedOut: boolean; runnerLagMsMax: number; withheld?: Withheld[] };
  'workload:sample': WorkloadSample;
  /** `conservation`: what became of every message of the workload; absent when it was not established. */
  'run:end': {
    interrupted: boolean;
    cleanup: { ok: boolean; left: string[] };
    runnerLagMsMax: number;
    conservation?: Conservation;
  };
}

/** Where and how a record is not what was written. Kinds: `docs/ledger.md`. */
export interface RecordProblem {
  kind: string;
  segment: string;
  /** Byte of the segment. */
  offset: number;
  seq?: number;
  message: string;
}

export type EventName = keyof EventMap;

export type EvidenceKind = 'stack' | 'cpu_profile' | 'heap_profile' | 'heap_statistics' | 'error' | 'cell_output';

export type PlaybookOutcome = 'healed' | 'not healed' | 'made worse' | 'refused' | 'dry run';

/** Safeguards that a drill of the oracle itself may switch off; in a product system all are true. */
export interface Safeguards {
  heartbeatDetector: boolean;
  mute: boolean;
  restartEngine: boolean;
}

export interface JournalRecord<N extends EventName = EventName> {
  /** 1, 2, 3, ... without gaps. */
  seq: number;
  name: N;
  wallMs: number;
  /** Machine's monotonic clock, ms. */
  monoMs: number;
  kernel?: string;
  cell?: string;
  incarnation?: number;
  /** From fault to recovery, one id. */
  correlation?: string;
  data: EventMap[N];
}

/** A record of any name, discriminated by `name`. */
export type AnyRecord = { [N in EventName]: JournalRecord<N> }[EventName];

/** What the writer of an event gives; the journal adds seq and times. */
export type EventDraft<N extends EventName = EventName> = Omit<JournalRecord<N>, 'seq' | 'wallMs' | 'monoMs'>;
export type AnyDraft = { [N in EventName]: EventDraft<N> }[EventName];
