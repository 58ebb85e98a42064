import type { Decide } from './environment.ts';
import { makeSchedule } from './generate.ts';
import { type Broken, type Played, play } from './play.ts';
import type { Injection, Schedule } from './schedule.ts';
import { smallest } from './shrink.ts';

/** One schedule in this many is played with frozen input; and one twice, to see that it comes out the same. */
const FROZEN_EVERY = 16;
const TWICE_EVERY = 32;
const TRACE = 30;

export interface Simulation {
  seed: number;
  schedules: number;
  events: number;
  /** Simulated time, ms. */
  simulatedMs: number;
  failures: Failure[];
}

/** A schedule that broke an invariant, and the least of it that still does. */
export interface Failure {
  seed: number;
  broken: Broken;
  schedule: Schedule;
  /** Numbers of the injections that are needed, counted from 0 in the whole schedule. */
  keep: number[];
  kept: Injection[];
  trace: Played['trace'];
}

export interface SimulateOptions {
  /** The first seed; the schedules have consecutive ones. */
  seed: number;
  schedules: number;
  decide?: Decide;
  /** Ends after this many failures; 1 by default. */
  failuresMax?: number;
  /** Only every so many seeds, for several processes that share the work. */
  step?: number;
  progress?(done: Simulation): void;
}

/** Plays `schedules` schedules from `seed` on. A failing one is shrunk. */
export function simulate(options: SimulateOptions): Simulation {
  const { seed, schedules, failuresMax = 1, step = 1 } = options;
  const done: Simulation = { seed, schedules: 0, events: 0, simulatedMs: 0, failures: [] };
  for (let n = 0; n < schedules && done.failures.length < failuresMax; n++) {
    const at = seed + n * step;
    const played = playSeed(at, options.decide);
    done.schedules++;
    done.events += played.events;
    done.simulatedMs += played.ms;
    if (played.broken) done.failures.push(shrink(at, played.broken, options.decide));
    options.progress?.(done);
  }
  return done;
}

/** One seed; `keep`: only these of its injections. */
export function playSeed(seed: number, decide?: Decide, keep?: readonly number[], trace = 0): Played {
  const schedule = part(makeSchedule(seed), keep);
  const frozen = seed % FROZEN_EVERY === 0;
  const twice = seed % TWICE_EVERY === 1;
  const options = { ...(decide ? { decide } : {}), frozen, digest: twice, trace };
  const played = play(schedule, options);
  if (played.broken || !twice) return played;
  const again = play(schedule, options);
  if (again.digest === played.digest) return played;
  const message = `the same seed gave other decisions the second time (${played.digest} and ${again.digest})`;
  return { ...played, broken: { invariant: 'not_deterministic', atMs: played.ms, message } };
}

function part(schedule: Schedule, keep: readonly number[] | undefined): Schedule {
  if (!keep) return schedule;
  return { ...schedule, injections: keep.map((index) => schedule.injections[index]!).filter(Boolean) };
}

function shrink(seed: number, broken: Broken, decide: Decide | undefined): Failure {
  const schedule = makeSchedule(seed);
  const all = schedule.injections.map((_, index) => index);
  const keep = smallest(all, (some) => playSeed(seed, decide, some).broken?.invariant === broken.invariant);
  const least = playSeed(seed, decide, keep, TRACE);
  return {
    seed,
    broken: least.broken ?? broken,
    schedule,
    keep,
    kept: keep.map((index) => schedule.injections[index]!),
    trace: least.trace,
  };
}
