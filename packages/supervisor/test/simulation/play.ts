import { decide as coreDecide } from '../../src/core/decide.ts';
import type { Command, CoreEvent } from '../../src/core/events.ts';
import { Digest } from './digest.ts';
import { type Decide, Environment } from './environment.ts';
import { execute } from './executor.ts';
import { calm, inject } from './faults.ts';
import { accusation } from './invariants/accusation.ts';
import { budget } from './invariants/budget.ts';
import { deadlines } from './invariants/deadlines.ts';
import { identity } from './invariants/identity.ts';
import { incidents } from './invariants/incidents.ts';
import { type Invariant, type InvariantName, type MakeInvariant, Violation } from './invariants/invariant.ts';
import { journal } from './invariants/journal.ts';
import { memory } from './invariants/memory.ts';
import { atRest, settled } from './invariants/settled.ts';
import { stop } from './invariants/stop.ts';
import type { Injection, Schedule } from './schedule.ts';
import type { Observer } from './surroundings.ts';

const INVARIANTS: readonly MakeInvariant[] = [
  identity,
  journal,
  incidents,
  accusation,
  budget,
  memory,
  deadlines,
  settled,
  stop,
];

/** How long everything may take to come to rest after the faults, ms: budgets' windows, deadlines of starts, time alone and more. */
const QUIET_MS = 300_000;
/** It must stay at rest for this long, ms. */
const REST_MS = 3000;
/** Timeout of the stop at the end, and time to see it through, ms. */
const LAST_STOP_MS = 5000;

const ROUTINE: ReadonlySet<CoreEvent['t']> = new Set<CoreEvent['t']>(['tick', 'machine', 'sample']);

export interface Broken {
  invariant: InvariantName;
  atMs: number;
  message: string;
}

export interface Played {
  broken: Broken | null;
  events: number;
  /** Simulated time, ms. */
  ms: number;
  /** Of all commands; 0 unless asked for. */
  digest: number;
  trace: Traced[];
}

export type Traced = { atMs: number } & ({ event: CoreEvent } | { command: Command } | { injection: Injection });

export interface PlayOptions {
  decide?: Decide;
  /** Refuses every change of what the core was given. */
  frozen?: boolean;
  digest?: boolean;
  /** How many of the last events and commands are kept. */
  trace?: number;
}

/** Plays one schedule against the core, with all invariants watching. */
export function play(schedule: Schedule, options: PlayOptions = {}): Played {
  const decide = options.decide ?? coreDecide;
  const env = new Environment(schedule, options.frozen ? unchanging(decide) : decide, execute);
  const invariants = INVARIANTS.map((make) => make(env));
  const digest = options.digest ? new Digest() : null;
  const trace: Traced[] = [];
  const keep = options.trace ?? 0;
  const note = (entry: Traced): void => {
    if (trace.length >= 2 * keep) trace.splice(0, keep);
    trace.push(entry);
  };
  /** What comes again and again is kept only when something followed from it. */
  let pending: Traced | null = null;
  env.observer = watch(invariants, (entry) => {
    if (digest && 'command' in entry) digest.add(env.now, entry.command);
    if (keep === 0) return;
    const traced = { ...entry, atMs: env.now };
    if ('event' in entry && ROUTINE.has(entry.event.t)) pending = traced;
    else {
      if (pending && 'command' in entry) note(pending);
      pending = null;
      note(traced);
    }
  });
  let broken: Broken | null = null;
  try {
    run(env, invariants, (injection) => keep > 0 && note({ atMs: env.now, injection }));
  } catch (error) {
    broken = asBroken(error, env.now);
  }
  return { broken, events: env.events, ms: env.now, digest: digest?.value ?? 0, trace: trace.slice(-keep) };
}

function run(env: Environment, invariants: Invariant[], injected: (injection: Injection) => void): void {
  const { injections, calmAt } = env.schedule;
  env.emit({ t: 'boot' });
  for (const injection of injections)
    env.agenda.add(injection.at, () => {
      injected(injection);
      inject(env, injection);
    });
  env.run(calmAt);
  calm(env);
  let restSince = Infinity;
  env.run(calmAt + QUIET_MS, () => {
    if (!atRest(env)) restSince = Infinity;
    else restSince = Math.min(restSince, env.now);
    return env.now - restSince >= REST_MS;
  });
  if (!env.finished) {
    // Where hangs are not looked for, nobody can say what becomes of them.
    if (env.state.safeguards.heartbeatDetector) for (const invariant of invariants) invariant.end?.();
    env.emit({ t: 'stop', reason: 'the schedule is over', timeoutMs: LAST_STOP_MS });
    env.run(env.now + 2 * LAST_STOP_MS);
  }
}

function watch(invariants: Invariant[], note: (entry: { event: CoreEvent } | { command: Command }) => void): Observer {
  const on = <K extends keyof Invariant>(name: K): NonNullable<Invariant[K]>[] =>
    invariants.flatMap((invariant) =>
      invariant[name] ? [invariant[name].bind(invariant) as NonNullable<Invariant[K]>] : [],
    );
  const [event, command, beat, restored] = [on('event'), on('command'), on('beat'), on('restored')];
  const [threadBorn, cellBorn] = [on('threadBorn'), on('cellBorn')];
  return {
    event(happened) {
      note({ event: happened });
      for (const look of event) look(happened);
    },
    command(ordered) {
      note({ command: ordered });
      for (const look of command) look(ordered);
    },
    beat() {
      for (const look of beat) look();
    },
    restored() {
      for (const look of restored) look();
    },
    threadBorn(thread, cell) {
      for (const look of threadBorn) look(thread, cell);
    },
    cellBorn(cell) {
      for (const look of cellBorn) look(cell);
    },
  };
}

function asBroken(error: unknown, atMs: number): Broken {
  if (error instanceof Violation) return { invariant: error.invariant, atMs: error.atMs, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof TypeError && /read only|not extensible|Cannot delete/.test(message))
    return { invariant: 'input_changed', atMs, message: `the core changed what it was given: ${message}` };
  const where =
    error instanceof Error
      ? (error.stack
          ?.split('\n')
          .slice(1, 4)
          .map((line) => line.trim())
          .join(' ') ?? '')
      : '';
  return { invariant: 'core_threw', atMs, message: `${message} ${where}` };
}

/** Freezes what goes in, so that a change of it throws. */
function unchanging(decide: Decide): Decide {
  return (state, event, now) => decide(freeze(state), freeze(event), now);
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const key in value) freeze(value[key]);
  return value;
}
