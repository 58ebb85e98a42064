import type { Environment } from '../environment.ts';
import { type Invariant, Violation } from './invariant.ts';

/** What may pass beyond a deadline before it counts as forgotten, ms: beats are late on a full machine, answers travel. */
const SLACK_MS = 4000;
const LOAD_MS = 20_000;
/** A cell that does not dial after a loss of the supervisor is given up well before this, ms. */
const DIAL_MS = 20_000;
/** `terminate()`, its answer, the end of the process, its report, ms. */
const END_MS = 1000 + 2000 + 3000;
const CELL_START_MS = 10_000;
const TRAVEL_MS = 1000;

/** Nothing waits for ever: every state that is meant to pass passes within its deadline. */
export function deadlines(env: Environment): Invariant {
  /** Since when a kernel could start, and has not. */
  const free = new Map<string, number>();
  let beats = 0;

  const forgotten = (what: string): never => {
    throw new Violation('waits_for_ever', env.now, what);
  };

  const checkKernel = (id: string): void => {
    // A stop has one deadline for all.
    if (env.state.phase === 'stopping') return;
    const kernel = env.state.kernels[id]!;
    const { manifest, state, since } = kernel;
    const waited = env.now - Math.max(since, env.since);
    if (state === 'draining' && waited > manifest.drainDeadlineMs + TRAVEL_MS + SLACK_MS)
      forgotten(`${id} has been draining for ${waited} ms`);
    if (state === 'stopping' && waited > END_MS + SLACK_MS) forgotten(`${id} has been stopping for ${waited} ms`);
    if (state === 'backoff' && env.now > Math.max(kernel.dueMono, env.since) + SLACK_MS)
      forgotten(`the restart of ${id} was due at ${kernel.dueMono} ms`);
    const coming = state === 'starting' || state === 'probing';
    // A cell that dialled again gives its kernels their time anew; without a deadline they wait for it to dial.
    if (coming && env.now > kernel.dueMono + SLACK_MS)
      forgotten(`${id} should have been ready at ${kernel.dueMono} ms`);
    if (coming && waited > manifest.startDeadlineMs + DIAL_MS) forgotten(`${id} has been ${state} for ${waited} ms`);
    if (
      state === 'running' &&
      kernel.probe.inFlight &&
      env.now - kernel.probe.askedMono > manifest.probe.deadlineMs + TRAVEL_MS + SLACK_MS
    )
      forgotten(`the probe of ${id} was asked at ${kernel.probe.askedMono} ms, and has neither answer nor deadline`);
    if (state === 'running' && !kernel.probe.inFlight && env.now > Math.max(kernel.probe.dueMono, env.since) + SLACK_MS)
      forgotten(`the probe of ${id} was due at ${kernel.probe.dueMono} ms`);
    checkWaiting(id);
  };

  const checkWaiting = (id: string): void => {
    const kernel = env.state.kernels[id]!;
    const cell = env.state.cells[kernel.cell];
    const free_ =
      kernel.state === 'waiting' &&
      cell?.state === 'online' &&
      kernel.manifest.needs.every((need) => env.state.kernels[need]!.state === 'running');
    if (!free_) {
      free.delete(id);
      return;
    }
    const since = Math.max(free.get(id) ?? env.now, kernel.since);
    free.set(id, since);
    if (env.now - since > LOAD_MS + SLACK_MS)
      forgotten(`${id} waits (thread: ${kernel.thread}) although its cell and all it needs are up`);
  };

  return {
    beat() {
      if (beats++ % 5 !== 0 || env.supervisor === null) return;
      for (const id in env.state.kernels) checkKernel(id);
      for (const [id, cell] of Object.entries(env.state.cells)) {
        if (cell.state === 'starting' && env.now - cell.orderedMono > CELL_START_MS + SLACK_MS)
          forgotten(`cell ${id} has been starting since ${cell.orderedMono} ms`);
        if (
          cell.state === 'stopping' &&
          !env.cells.has(id) &&
          env.now - Math.max(cell.endMono, env.since) > SLACK_MS + END_MS
        )
          forgotten(`cell ${id} has been stopping, and its process is gone`);
      }
    },
    restored() {
      free.clear();
    },
  };
}
