import type { FaultLease } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import type { ActorCounts } from '../actors/protocol.ts';
import type { DamageRecord } from '../damage/record-damage.ts';
import type { Recorder } from '../journal/recorder.ts';

/** A fault that has been injected. */
export interface Injection {
  readonly lease: FaultLease;
  /** When the order was given; the fault cannot have acted before. */
  readonly orderedMono: number;
  /** When it began to act, as its holder says; null while it has not. */
  actingMono(): number | null;
  /** What the actor counted; empty for faults inside the system. */
  counts(): ActorCounts;
  /** What was damaged on the disk; null when this fault damages nothing, or has not yet. */
  damage(): DamageRecord | null;
  /** Process of the actor. */
  readonly pid: number | null;
  /** Whether it has stopped acting by itself. */
  isOver(): boolean;
  /** Ends it, makes sure that it ended, and takes its lease from disk. */
  undo(): Promise<{ verified: boolean }>;
}

/** What injecting needs. */
export interface InjectionSite {
  control: ControlClient;
  recorder: Recorder;
  home: string;
  run: string;
  /** Compiled entry file of the actors, absolute. */
  actorEntry: string;
}

/** The runner renews three times within one time to live. */
export const RENEWALS_PER_TTL = 3;
