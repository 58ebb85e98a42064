import type { CellSample, ThreadSample } from '@grace/contracts';
import type { CoreEvent } from '../../src/core/events.ts';
import type { Agenda } from './agenda.ts';
import type { Machine } from './machine.ts';
import { Stream } from './random.ts';
import type { SimThread } from './thread.ts';

const WATCH_MS = 50;
const SAMPLE_MS = 500;
/** Heap over its limit by this much ends the thread; more memory outside than this many limits ends the process. */
const HEAP_DEATH = 1.4;
const EXTERNAL_DEATH = 4;
const PROCESS_BYTES = 60 * 1024 ** 2;

export interface CellSurroundings {
  agenda: Agenda;
  machine: Machine;
  now(): number;
  sampled(cell: SimCell, sample: CellSample): void;
  outOfMemory(cell: SimCell, thread: SimThread): void;
  processOutOfMemory(cell: SimCell): void;
}

/** A host process as it truly is: its agent, which samples and answers, and its threads. */
export class SimCell {
  readonly id: string;
  readonly incarnation: number;
  readonly pid: number;
  readonly random: Stream;
  readonly threads = new Map<string, SimThread>();
  alive = true;
  /** It has written down that it lives, so that a later supervisor finds it. */
  signedIn = false;
  /** The supervisor of the moment started it or found it. */
  known = true;
  /** It dials, or would if there were a supervisor. */
  dials = false;
  /** It has said hello. */
  online = false;
  /** What it has to tell while nobody listens. */
  missed: CoreEvent[] = [];
  /** The connection to the supervisor it has; counted up at each new one, null while there is none. */
  connection: number | null = null;
  /** Stopped by a signal: neither agent nor threads move. */
  stopped = false;
  /** Only the agent does not move. */
  blocked = false;
  frozenSince = 0;
  thawedAt = -Infinity;
  /** When a thread that has ended did not do its job last. */
  unwellAt = -Infinity;
  lastRequestAt = 0;
  lastAnswerAt = 0;
  /** Answers take this much longer, ms. */
  slowMs = 0;
  #inbox: (() => void)[] = [];
  #lastWatch: number;
  #lastSample: number;
  #lagMs = 0;
  #watchToken = 0;
  #nextWatch = Infinity;
  readonly #world: CellSurroundings;

  constructor(id: string, incarnation: number, pid: number, world: CellSurroundings, seed: number) {
    this.id = id;
    this.incarnation = incarnation;
    this.pid = pid;
    this.#world = world;
    this.random = new Stream(seed);
    this.#lastWatch = world.now();
    this.#lastSample = world.now();
  }

  get frozen(): boolean {
    return this.stopped || this.blocked;
  }

  /** The agent does `act` when it can. */
  receive(act: () => void): void {
    if (!this.alive) return;
    if (this.frozen) this.#inbox.push(act);
    else act();
  }

  freeze(stopped: boolean): void {
    if (!this.alive || this.frozen) return;
    this.stopped = stopped;
    this.blocked = !stopped;
    this.frozenSince = this.#world.now();
    if (stopped) for (const thread of this.threads.values()) thread.freeze(this.#world.now(), true);
  }

  thaw(): void {
    if (!this.alive || !this.frozen) return;
    const now = this.#world.now();
    const wasStopped = this.stopped;
    this.thawedAt = now;
    this.stopped = false;
    this.blocked = false;
    if (wasStopped) for (const thread of [...this.threads.values()]) thread.freeze(now, false);
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const act of inbox) this.receive(act);
    this.#schedule(this.random.between(0, 5));
  }

  /** From its first connection on it looks at its threads. */
  begin(): void {
    this.#lastWatch = this.#world.now();
    this.#lastSample = this.#lastWatch;
    this.#schedule(WATCH_MS);
  }

  /** Something about its threads changed: the look that is far away comes sooner. */
  alert(): void {
    if (this.online && !this.frozen && this.#nextWatch - this.#world.now() > WATCH_MS) {
      this.#lastWatch = this.#world.now();
      this.#schedule(this.random.between(0, WATCH_MS));
    }
  }

  #schedule(ms: number): void {
    const token = ++this.#watchToken;
    this.#nextWatch = this.#world.now() + ms;
    this.#world.agenda.add(this.#nextWatch, () => {
      if (token === this.#watchToken && this.alive && !this.frozen) this.#watch();
    });
  }

  /** While nothing is odd the looks between two samples would see nothing, so they are left out. */
  #watch(): void {
    const { machine } = this.#world;
    const now = this.#world.now();
    this.#lagMs = Math.max(now - this.#lastWatch - WATCH_MS, this.#lagMs * 0.7, 0);
    this.#lastWatch = now;
    let late = false;
    let odd = machine.full || this.#lagMs > 1;
    for (const thread of [...this.threads.values()]) {
      late = thread.watch(now) || late;
      odd ||= thread.odd || thread.leak !== null;
      this.#checkMemory(thread);
      if (!this.alive) return;
    }
    if (late || now - this.#lastSample >= SAMPLE_MS - 1) {
      this.#lastSample = now;
      this.#world.sampled(this, this.sample(now));
    }
    if (odd || late) this.#schedule(WATCH_MS + machine.waitMs * this.random.next() * 0.5);
    else {
      const ms = Math.max(WATCH_MS, this.#lastSample + SAMPLE_MS - now);
      this.#lastWatch = now + ms - WATCH_MS;
      this.#schedule(ms);
    }
  }

  #checkMemory(thread: SimThread): void {
    if (thread.leak === null) return;
    const { heapBytes, externalBytes } = thread.manifest.limits;
    if (thread.heapBytes > heapBytes * HEAP_DEATH) this.#world.outOfMemory(this, thread);
    else if (thread.externalBytes > externalBytes * EXTERNAL_DEATH) this.#world.processOutOfMemory(this);
  }

  sample(now: number): CellSample {
    const threads: ThreadSample[] = [];
    let rssBytes = PROCESS_BYTES;
    for (const thread of this.threads.values()) {
      threads.push(thread.sample(now));
      rssBytes += thread.heapBytes + thread.externalBytes;
    }
    return {
      cell: this.id,
      atMono: now,
      agentLagMs: Math.round(this.#lagMs * 10) / 10,
      cpuPercent: null,
      rssBytes,
      threads,
    };
  }
}
