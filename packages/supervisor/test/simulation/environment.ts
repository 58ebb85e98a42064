import type { AnyDraft, AnyRecord, EventMap } from '@grace/contracts';
import type { Command, CoreEvent } from '../../src/core/events.ts';
import { initialState } from '../../src/core/initial.ts';
import type { CoreState } from '../../src/core/state.ts';
import { nextDue } from '../../src/core/tick.ts';
import { mix, Stream } from './random.ts';
import type { Schedule } from './schedule.ts';
import { Surroundings } from './surroundings.ts';

export type Decide = (state: CoreState, event: CoreEvent, now: number) => { state: CoreState; commands: Command[] };
export type Order = Exclude<Command, { do: 'journal' }>;
export type Execute = (env: Environment, order: Order) => void;

/** The supervisor's regular beat, and how often it reads the load of the machine, ms. */
const TICK_MS = 100;
const MACHINE_MS = 250;

/** The decision core in motion, as src/loop.ts and src/machine/pulse.ts set it in motion, with all that surrounds it. */
export class Environment extends Surroundings {
  state: CoreState;
  finished = false;
  events = 0;
  /** Since when the present supervisor lives, ms. */
  since = 0;
  /** The supervisor dies after so many orders of one decision. */
  cut: { orders: number; die(): void } | null = null;
  /** The journal, kept where somebody will read it. */
  readonly records: AnyRecord[] | null;
  readonly #decide: Decide;
  readonly #execute: Execute;
  readonly #random: Stream;
  #nextBeat = TICK_MS;
  #beatExpected = TICK_MS;
  #lastMachine = 0;
  #due = Infinity;

  constructor(schedule: Schedule, decide: Decide, execute: Execute) {
    super(schedule);
    this.#decide = decide;
    this.#execute = execute;
    this.#random = new Stream(mix(schedule.seed, 2));
    this.records = schedule.injections.some((one) => one.do === 'supervisor_loss') ? [] : null;
    this.record({ name: 'system:boot', data: {} as EventMap['system:boot'] });
    this.state = initialState(schedule.topology, 0, schedule.seed, 'inc');
  }

  emit(event: CoreEvent): void {
    if (this.supervisor === null || this.finished) return;
    this.events++;
    this.observer?.event(event);
    const { state, commands } = this.#decide(this.state, event, this.now);
    this.state = state;
    for (const command of commands) {
      if (command.do !== 'journal') continue;
      this.observer?.command(command);
      this.record(command.draft);
    }
    let left = this.cut !== null && commands.length >= this.cut.orders ? this.cut.orders : Infinity;
    for (const command of commands) {
      if (command.do === 'journal') continue;
      if (left-- === 0) break;
      this.observer?.command(command);
      this.#execute(this, command);
    }
    this.#due = nextDue(state);
    if (left <= 0) this.cut?.die();
  }

  record(draft: AnyDraft): void {
    this.records?.push({ ...draft, seq: this.records.length + 1, wallMs: this.now, monoMs: this.now } as AnyRecord);
  }

  /** Lets time pass until `end`, or until `enough`, which is asked after each beat. */
  run(end: number, enough: () => boolean = () => false): void {
    for (;;) {
      const agenda = this.agenda.nextAt;
      const beat = this.#nextBeat;
      const due = this.supervisor === null ? Infinity : Math.max(this.now + 1, this.#due);
      const at = Math.min(agenda, beat, due);
      if (at > end || this.finished) break;
      this.now = at;
      if (agenda === at) this.agenda.take()();
      else if (beat === at) {
        this.#beat();
        this.observer?.beat();
        if (enough()) return;
      } else {
        this.#due = Infinity;
        this.emit({ t: 'tick' });
      }
    }
    this.now = end;
  }

  #beat(): void {
    const lagMs = Math.max(0, this.now - this.#beatExpected);
    this.#beatExpected = this.now + TICK_MS;
    this.#nextBeat = this.#beatExpected + (this.machine.full ? this.machine.waitMs * this.#random.next() * 0.3 : 0);
    if (this.now - this.#lastMachine >= MACHINE_MS) {
      this.#lastMachine = this.now;
      this.emit({ t: 'machine', busy: this.machine.full ? 1 : 0.2, lagMs });
    } else this.emit({ t: 'tick' });
  }
}
