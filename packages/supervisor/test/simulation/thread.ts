import type { KernelManifest, MissedTime, ThreadSample } from '@grace/contracts';
import type { CoreEvent } from '../../src/core/events.ts';
import type { Machine } from './machine.ts';
import { Outcome } from './outcome.ts';
import { Stream } from './random.ts';
import type { StartTrait, Trouble } from './schedule.ts';

/** Loop held by one callback: nothing that runs in the thread moves. */
const HELD: ReadonlySet<Trouble> = new Set<Trouble>(['spin', 'native', 'wait']);
/** Does not do its job: the functional probe does not pass. */
const UNWELL: ReadonlySet<Trouble> = new Set<Trouble>([...HELD, 'deadlock', 'wrong']);
/** No heartbeat is stamped. */
const NO_BEAT: ReadonlySet<Trouble> = new Set<Trouble>([...HELD, 'beatless', 'beatless_busy']);
/** Wants a whole core. */
const GREEDY: ReadonlySet<Trouble> = new Set<Trouble>(['spin', 'busy', 'beatless_busy', 'chunks', 'flood']);
/** Longest callback of a kernel that computes in pieces, as a part of `hungAfterMs`: below what counts as hung. */
const CHUNK_SHARE = 0.5;
const MISSED_INTERVALS = 1.5;
/** How often a waiting thread sees whether the machine has room again, ms. */
const WAIT_STEP_MS = 25;

export type Stage = 'loading' | 'loaded' | 'starting' | 'started';
export type ProbeAnswer = (ok: boolean) => void;

/**
 * One kernel thread as it truly is. The core never sees this object, only samples and answers drawn from it; the invariants see it, and
 * compare what the core did with what was true.
 */
export class SimThread {
  readonly manifest: KernelManifest;
  readonly incarnation: number;
  readonly random: Stream;
  stage: Stage = 'loading';
  alive = true;
  trouble: Trouble | null = null;
  /** Its process is stopped: it neither runs nor waits for a processor. */
  frozen = false;
  /** Last moment at which it did not do its job, by its own doing or because its process stood still. */
  unwellAt = -Infinity;
  ignoresDrain = false;
  /** What goes wrong at each of its starts; its owner decides for how many. */
  trait: StartTrait | null = null;
  leak: { of: 'heap' | 'external'; bytesPerMs: number } | null = null;
  /** When it last gave memory back. */
  letGoAt = -Infinity;
  sheds: boolean;
  cap: number | null = null;
  heapBytes: number;
  externalBytes: number;
  readonly #machine: Machine;
  #at: number;
  #cpuMs = 1;
  #runDelayMs = 0;
  #activeMs = 0;
  #logs = 0;
  #errors = 0;
  #work = 0;
  #published = 0;
  #refused = 0;
  #beatAt: number;
  #since: number;
  #waiting: (() => void)[] = [];
  readonly #loaded = new Outcome();
  readonly #started = new Outcome();
  #from: { at: number; cpuMs: number; runDelayMs: number; activeMs: number; logs: number; work: number } | null = null;
  #seen = { at: 0, activeMs: 0 };

  constructor(manifest: KernelManifest, incarnation: number, machine: Machine, now: number, seed: number) {
    this.manifest = manifest;
    this.incarnation = incarnation;
    this.random = new Stream(seed);
    this.#machine = machine;
    this.#at = now;
    this.#beatAt = now;
    this.#since = now;
    this.sheds = this.random.chance(0.5);
    this.heapBytes = manifest.limits.heapBytes * this.random.between(0.02, 0.3);
    this.externalBytes = manifest.limits.externalBytes * this.random.between(0, 0.2);
  }

  /** Whether its functional probe passes at this moment, if it is asked and waited for. */
  get well(): boolean {
    return this.alive && !this.frozen && (this.trouble === null || !UNWELL.has(this.trouble));
  }

  get held(): boolean {
    return this.frozen || (this.trouble !== null && HELD.has(this.trouble));
  }

  /** Whether its agent must look at it closely. */
  get odd(): boolean {
    return this.trouble !== null || this.cap !== null;
  }

  /** Moves its counters on to `now`. To be called before anything about it changes. */
  advance(now: number): void {
    const ms = now - this.#at;
    if (ms <= 0) return;
    this.#at = now;
    if (!this.well) this.unwellAt = now;
    if (this.frozen || !this.alive) return;
    const { share } = this.#machine;
    const greedy = this.trouble !== null && GREEDY.has(this.trouble);
    const idle = this.trouble === 'native' || this.trouble === 'wait';
    const may = Math.min(this.cap ?? 1, greedy ? share : 1);
    this.#cpuMs += ms * (idle ? 0 : greedy ? may : 0.01);
    this.#runDelayMs += ms * this.#waitingShare(greedy, idle, may);
    this.#activeMs += ms * (greedy || idle ? 1 : 0.02);
    if (!this.held) this.#turn(ms);
    if (!this.#noBeat()) {
      const every = this.#beatEvery(may);
      const beats = Math.floor((now - Math.max(this.#since, this.#beatAt)) / every);
      if (beats > 0) this.#beatAt = Math.max(this.#since, this.#beatAt) + beats * every;
    }
  }

  #waitingShare(greedy: boolean, idle: boolean, may: number): number {
    if (idle) return 0;
    if (greedy) return Math.max(0, Math.min(this.cap ?? 1, 1) - may);
    const { waitMs } = this.#machine;
    return waitMs / (waitMs + this.manifest.heartbeatMs);
  }

  #turn(ms: number): void {
    // Busy with itself, it shows no other sign of life than its answers.
    if (this.trouble !== 'beatless_busy') {
      this.#work += ms * 0.01;
      this.#logs += ms * 0.002;
    }
    if (this.trouble === 'errors') {
      this.#errors += ms * 0.2;
      this.#logs += ms * 0.2;
    }
    this.#published += ms * (this.trouble === 'flood' ? 80 : 0.02);
    if (this.trouble === 'flood') this.#refused += ms * 30;
    if (this.leak === null) return;
    if (this.leak.of === 'heap') this.heapBytes += this.leak.bytesPerMs * ms;
    else this.externalBytes += this.leak.bytesPerMs * ms;
  }

  #noBeat(): boolean {
    return this.trouble !== null && NO_BEAT.has(this.trouble);
  }

  #beatEvery(may: number): number {
    const { heartbeatMs } = this.manifest;
    const piece = this.trouble === 'chunks' ? this.chunkMs / may : 0;
    const held = this.cap !== null && this.cap < 1 ? 100 * (1 - this.cap) : 0;
    return Math.max(heartbeatMs, piece) + this.#machine.waitMs + held;
  }

  get chunkMs(): number {
    return this.manifest.hungAfterMs * CHUNK_SHARE;
  }

  afflict(now: number, trouble: Trouble | null): void {
    this.advance(now);
    const wasSilent = this.#noBeat();
    this.trouble = trouble;
    if (wasSilent && !this.#noBeat()) this.#beatAt = now;
    this.#since = this.#beatAt;
    if (!this.well) this.unwellAt = now;
    this.#flush();
  }

  /** What it held too much of is let go. */
  endLeak(now: number): void {
    if (this.leak === null) return;
    this.advance(now);
    this.leak = null;
    this.letGoAt = now;
    this.heapBytes = Math.min(this.heapBytes, this.manifest.limits.heapBytes * 0.3);
    this.externalBytes = Math.min(this.externalBytes, this.manifest.limits.externalBytes * 0.2);
  }

  freeze(now: number, frozen: boolean): void {
    this.advance(now);
    this.frozen = frozen;
    // Timers that were due fire when it is let go on; not all threads come before their agent does.
    if (!frozen && !this.#noBeat() && this.random.chance(0.5)) this.#beatAt = now;
    if (!this.well) this.unwellAt = now;
    this.#flush();
  }

  #flush(): void {
    if (!this.well) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const act of waiting) act();
  }

  /** Tells the outcome of its load to everybody who asked, also to those who ask later. */
  setLoaded(outcome: CoreEvent): void {
    this.#loaded.settle(outcome);
  }

  whenLoaded(act: (outcome: CoreEvent) => void): void {
    this.#loaded.wait(act);
  }

  setStarted(outcome: CoreEvent): void {
    this.#started.settle(outcome);
  }

  whenStarted(act: (outcome: CoreEvent) => void): void {
    this.#started.wait(act);
  }

  /** Runs `act` when the thread is free to do it: at once, or when it moves again. */
  whenFree(act: () => void): void {
    if (this.held) this.#waiting.push(act);
    else act();
  }

  /** Answers a functional probe; `delay` passes simulated time. */
  probe(delay: (ms: number, act: () => void) => void, leans: () => boolean, answer: ProbeAnswer): void {
    if (this.held || this.trouble === 'deadlock') {
      this.#waiting.push(() => this.probe(delay, leans, answer));
      return;
    }
    const { share, waitMs } = this.#machine;
    const cap = this.cap ?? 1;
    const piece = this.trouble === 'chunks' ? (this.random.next() * this.chunkMs) / (share * cap) : 0;
    const ms = this.random.between(1, 8) / share + piece + (cap < 1 ? 20 / cap : 0);
    const answered = (): void => {
      if (this.held) this.#waiting.push(() => this.probe(delay, leans, answer));
      else {
        this.#work++;
        answer(this.trouble !== 'wrong' && leans());
      }
    };
    delay(ms, () => this.#awaitProcessor(delay, waitMs * this.random.between(0.3, 2), answered));
  }

  /** It waits for a processor as long as the machine is full, and no longer. */
  #awaitProcessor(delay: (ms: number, act: () => void) => void, ms: number, act: () => void): void {
    if (ms <= 0 || !this.#machine.full) act();
    else delay(Math.min(ms, WAIT_STEP_MS), () => this.#awaitProcessor(delay, ms - WAIT_STEP_MS, act));
  }

  /** The agent's look at its heartbeat; true when it is late. */
  watch(now: number): boolean {
    this.advance(now);
    const age = now - this.#beatAt;
    if (age <= this.manifest.heartbeatMs * MISSED_INTERVALS) {
      this.#from = null;
      return false;
    }
    this.#from ??= {
      at: now,
      cpuMs: this.#cpuMs,
      runDelayMs: this.#runDelayMs,
      activeMs: this.#activeMs,
      logs: this.#logs,
      work: this.#work,
    };
    return age > this.manifest.lateAfterMs;
  }

  sample(now: number): ThreadSample {
    this.advance(now);
    const from = this.#from;
    const base = from ?? this.#seen;
    const span = now - base.at;
    const elu = span > 0 ? Math.round(((this.#activeMs - base.activeMs) / span) * 1000) / 1000 : null;
    if (from === null) this.#seen = { at: now, activeMs: this.#activeMs };
    // Heap statistics do not settle while the thread sits in native code.
    const readable = this.trouble !== 'native';
    return {
      kernel: this.manifest.id,
      incarnation: this.incarnation,
      atMono: now,
      heartbeatAgeMs: Math.round((now - this.#beatAt) * 10) / 10,
      elu,
      cpuMs: this.#cpuMs,
      runDelayMs: this.#runDelayMs,
      heapBytes: readable ? Math.round(this.heapBytes) : null,
      externalBytes: readable ? Math.round(this.externalBytes) : null,
      heapAtMono: readable ? now : null,
      cap: this.cap,
      missed: from === null ? null : this.#missed(from, now),
      logs: Math.floor(this.#logs),
      errors: Math.floor(this.#errors),
      work: Math.floor(this.#work),
      published: Math.floor(this.#published),
      refused: Math.floor(this.#refused),
      servedMs: 0,
    };
  }

  #missed(
    from: { at: number; cpuMs: number; runDelayMs: number; logs: number; work: number },
    now: number,
  ): MissedTime {
    return {
      forMs: now - from.at,
      cpuMs: this.#cpuMs - from.cpuMs,
      runDelayMs: this.#runDelayMs - from.runDelayMs,
      logs: Math.floor(this.#logs) - Math.floor(from.logs),
      work: Math.floor(this.#work) - Math.floor(from.work),
    };
  }
}
