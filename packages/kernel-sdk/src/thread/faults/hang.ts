import { readSync } from 'node:fs';
import { GraceError } from '@grace/contracts';
import type { HeldLease } from './fault.ts';

/** Four ways to hold an event loop. The names of these functions are what a stack must show. */

export function endlessLoop(lease: HeldLease): void {
  while (lease.active());
}

/** One match takes at most about this long, ms: in between, the lease is looked at. */
const MATCH_MS = 200;

/** Nested quantifiers: each further letter doubles the time that it takes to find out that the end does not match. */
export function catastrophicRegex(lease: HeldLease): void {
  const nested = /^(a+)+$/;
  let length = 16;
  while (lease.active()) {
    const from = performance.now();
    nested.test(`${'a'.repeat(length)}!`);
    if (performance.now() - from < MATCH_MS / 2) length++;
  }
}

/** How long it sleeps between two looks at its lease, ms. */
const WAIT_MS = 100;

/** Sleeps in the kernel of the operating system, without CPU; V8 can end such a thread. */
export function atomicsWait(lease: HeldLease): void {
  const never = new Int32Array(new SharedArrayBuffer(4));
  while (lease.active()) Atomics.wait(never, 0, 0, WAIT_MS);
}

/**
 * Sits in a `read` that nobody answers: no JavaScript runs and `terminate()` does not return. The cell agent made the pipe and writes into
 * it when the lease is over; so nothing is missed when the thread comes late.
 */
export function readFifo(lease: HeldLease, { fd }: Readonly<Record<string, unknown>>): void {
  if (typeof fd !== 'number') throw new GraceError('INTERNAL', 'drill: a pipe to read from was not given');
  try {
    readSync(fd, Buffer.alloc(1));
  } catch (error) {
    // A pipe that is closed already belonged to a lease that is over.
    if (lease.active()) throw error;
  }
}
