import type { AnyDraft, CellSample, ThreadInventory, WireError } from '@grace/contracts';
import type { Command, CoreEvent } from '../../src/core/events.ts';
import type { CoreState } from '../../src/core/state.ts';
import { Agenda } from './agenda.ts';
import { SimCell } from './cell.ts';
import { Machine } from './machine.ts';
import { mix, type Stream } from './random.ts';
import type { Schedule, StartTrait, Trouble } from './schedule.ts';
import { SimThread } from './thread.ts';

/** Sees everything that goes in and comes out. */
export interface Observer {
  event(event: CoreEvent): void;
  command(command: Command): void;
  /** After each beat of the supervisor. */
  beat(): void;
  /** Another supervisor has taken over. */
  restored(): void;
  threadBorn(thread: SimThread, cell: SimCell): void;
  cellBorn(cell: SimCell): void;
}

/** A process writes down that it lives before anything else, ms. */
const SIGN_IN_MS = 30;

/** What becomes of the next spawns of a cell. */
interface Birth {
  fate: 'late' | 'never' | 'ends' | 'disk_full';
  spawns: number;
}

/** What goes wrong at the next starts of a kernel. */
export interface Doom {
  trait: StartTrait;
  starts: number;
  afterMs: number;
  code: string;
}

/**
 * What is outside of the supervisor, on a simulated clock: the machine, host processes, threads, and the connections to them. Nothing here
 * decides anything. What is random comes from the seed, a stream for each part.
 */
export abstract class Surroundings {
  now = 0;
  readonly schedule: Schedule;
  readonly agenda = new Agenda();
  readonly machine = new Machine();
  readonly cells = new Map<string, SimCell>();
  readonly births = new Map<string, Birth>();
  readonly dooms = new Map<string, Doom>();
  /** Which supervisor lives; null: none. */
  supervisor: number | null = 1;
  observer: Observer | null = null;
  /** What the supervisor knows. */
  abstract state: CoreState;
  #connections = 0;

  constructor(schedule: Schedule) {
    this.schedule = schedule;
  }

  /** To the supervisor, if one lives. */
  abstract emit(event: CoreEvent): void;
  /** Into the journal. */
  abstract record(draft: AnyDraft): void;

  later(ms: number, act: () => void): void {
    this.agenda.add(this.now + ms, act);
  }

  /** How long something takes that computes for `cpuMs` in a process of its own. */
  duration(random: Stream, cpuMs: number): number {
    return cpuMs / this.machine.share + this.machine.waitMs * random.next();
  }

  /** How long a message takes. */
  travel(cell: SimCell): number {
    return cell.random.between(0.1, 2) + cell.slowMs + this.machine.waitMs * cell.random.next() * 0.2;
  }

  /** A message of the cell to the supervisor. While there is no connection it is kept, unless it is only news; what is under way is lost with it. */
  tell(cell: SimCell, event: CoreEvent): void {
    const { connection } = cell;
    if (connection === null) {
      if (event.t !== 'sample') cell.missed.push(event);
      return;
    }
    this.fromCell(cell, () => {
      if (cell.connection === connection) this.emit(event);
    });
  }

  /** Over the connection to the cell, where nothing overtakes anything. */
  toCell(cell: SimCell, act: () => void): void {
    cell.lastRequestAt = Math.max(cell.lastRequestAt, this.now + this.travel(cell));
    this.agenda.add(cell.lastRequestAt, () => cell.receive(act));
  }

  fromCell(cell: SimCell, act: () => void): void {
    cell.lastAnswerAt = Math.max(cell.lastAnswerAt, this.now + this.travel(cell));
    this.agenda.add(cell.lastAnswerAt, act);
  }

  connect(cell: SimCell): void {
    cell.connection = ++this.#connections;
  }

  /** A thread lives from now on. */
  bear(cell: SimCell, kernel: string, incarnation: number): SimThread {
    const { manifest } = this.state.kernels[kernel]!;
    const index = this.schedule.topology.kernels.findIndex(({ id }) => id === kernel);
    const thread = new SimThread(
      manifest,
      incarnation,
      this.machine,
      this.now,
      mix(this.schedule.seed, 3, index, incarnation),
    );
    thread.cap = manifest.limits.cpu;
    cell.threads.set(kernel, thread);
    this.observer?.threadBorn(thread, cell);
    return thread;
  }

  /** The thread of a kernel that lives, if one does. */
  threadOf(kernel: string): { thread: SimThread; cell: SimCell } | null {
    for (const cell of this.cells.values()) {
      const thread = cell.threads.get(kernel);
      if (thread) return { thread, cell };
    }
    return null;
  }

  /** The thread ends by its own doing. */
  endThread(cell: SimCell, thread: SimThread, code: number, error: WireError | null): void {
    const kernel = thread.manifest.id;
    if (!this.dropThread(cell, thread)) return;
    cell.receive(() => this.tell(cell, { t: 'exited', kernel, incarnation: thread.incarnation, code, error }));
  }

  dropThread(cell: SimCell, thread: SimThread): boolean {
    const kernel = thread.manifest.id;
    if (cell.threads.get(kernel) !== thread) return false;
    thread.advance(this.now);
    thread.alive = false;
    cell.unwellAt = Math.max(cell.unwellAt, thread.unwellAt);
    cell.threads.delete(kernel);
    return true;
  }

  spawnCell(id: string, incarnation: number): void {
    const seed = mix(this.schedule.seed, 4, id.length, id.charCodeAt(id.length - 1), incarnation);
    const cell = new SimCell(id, incarnation, 1000 + incarnation, this.#surroundings, seed);
    this.cells.set(id, cell);
    this.observer?.cellBorn(cell);
    const birth = this.births.get(id);
    const fate = birth && birth.spawns > 0 ? birth.fate : null;
    if (birth && fate) birth.spawns--;
    this.record({ name: 'cell:start', cell: id, incarnation, data: { pid: cell.pid } });
    const ms =
      fate === 'late' ? cell.random.between(2000, 9000) : this.duration(cell.random, cell.random.between(20, 60));
    this.later(Math.min(ms / 2, SIGN_IN_MS), () => {
      cell.signedIn = cell.alive;
    });
    if (fate === 'never') return;
    this.later(ms, () => {
      if (fate === 'ends' || fate === 'disk_full') this.endCell(cell, fate === 'ends' ? 1 : 74, null);
      else cell.receive(() => this.hello(cell));
    });
  }

  hello(cell: SimCell): void {
    cell.dials = true;
    if (!cell.alive || this.supervisor === null) return;
    const { id, incarnation, pid } = cell;
    // A supervisor that does not know this cell has replaced it already.
    if (!cell.known) {
      this.endCell(cell, 0, null);
      return;
    }
    this.connect(cell);
    if (!cell.online) cell.begin();
    cell.online = true;
    const threads = inventory(cell);
    const missed = cell.missed;
    cell.missed = [];
    const { connection } = cell;
    this.fromCell(cell, () => {
      if (cell.connection !== connection) return;
      const isNew = this.state.cells[id]?.state === 'starting';
      for (const event of missed) this.emit(event);
      this.emit(
        isNew
          ? { t: 'cell-online', cell: id, incarnation, pid }
          : { t: 'cell-adopted', cell: id, incarnation, pid, threads },
      );
    });
  }

  /** The process ends, with all in it; its parent hears of it. */
  endCell(cell: SimCell, code: number | null, signal: string | null): void {
    if (!cell.alive) return;
    for (const thread of [...cell.threads.values()]) this.dropThread(cell, thread);
    cell.alive = false;
    if (this.cells.get(cell.id) === cell) this.cells.delete(cell.id);
    const { id, incarnation, pid } = cell;
    const { supervisor } = this;
    // Only the supervisor of that moment hears of it; a later one finds out by looking.
    this.later(cell.random.between(0.1, 5), () => {
      if (this.supervisor === supervisor) this.emit({ t: 'cell-exit', cell: id, incarnation, pid, code, signal });
    });
  }

  afflict(kernel: string, trouble: Trouble, forMs: number | null): void {
    const found = this.threadOf(kernel);
    if (!found || found.thread.stage === 'loading') return;
    const { thread, cell } = found;
    thread.afflict(this.now, trouble);
    cell.alert();
    if (forMs !== null)
      this.later(forMs, () => {
        if (thread.alive && thread.trouble === trouble) thread.afflict(this.now, null);
      });
  }

  saturate(waitMs: number, share: number): void {
    for (const cell of this.cells.values()) {
      for (const thread of cell.threads.values()) thread.advance(this.now);
      if (waitMs > 0) cell.alert();
    }
    this.machine.waitMs = waitMs;
    this.machine.share = share;
  }

  /** Whether what a kernel needs does its job at this moment. */
  needsServe(kernel: string): boolean {
    if (!this.schedule.topology.leaning.includes(kernel)) return true;
    return this.state.kernels[kernel]!.manifest.needs.every((need) => {
      const found = this.threadOf(need);
      return found !== null && found.thread.stage === 'started' && found.thread.well;
    });
  }

  readonly #surroundings = {
    agenda: this.agenda,
    machine: this.machine,
    now: (): number => this.now,
    sampled: (cell: SimCell, sample: CellSample): void => this.tell(cell, { t: 'sample', sample }),
    outOfMemory: (cell: SimCell, thread: SimThread): void =>
      this.endThread(cell, thread, 1, { code: 'INTERNAL', message: 'ERR_WORKER_OUT_OF_MEMORY' }),
    processOutOfMemory: (cell: SimCell): void => this.endCell(cell, null, 'SIGKILL'),
  };
}

function inventory(cell: SimCell): ThreadInventory[] {
  return [...cell.threads].map(([kernel, { incarnation, stage }]) => ({
    kernel,
    incarnation,
    tid: 100 + incarnation,
    stage: stage === 'starting' ? 'loaded' : stage,
    verbs: stage === 'started' ? ['status'] : [],
  }));
}
