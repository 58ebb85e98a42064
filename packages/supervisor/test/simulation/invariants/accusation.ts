import type { Command } from '../../../src/core/events.ts';
import type { SimCell } from '../cell.ts';
import type { Environment } from '../environment.ts';
import type { SimThread } from '../thread.ts';
import { type Invariant, Violation } from './invariant.ts';

/** What the supervisor hears is this old at most on a machine with room, ms: a sample, an answer on its way. */
const NEWS_MS = 400;
/** A thread that reaches its memory limit within this time may be restarted before it does, ms. */
const MEMORY_AHEAD_MS = 5000;
const MEMORY_SHARE = 0.8;
/** Loading a module may take this long, ms. */
const LOAD_MS = 14_900;
const COMING_UP: ReadonlySet<string> = new Set(['waiting', 'starting', 'probing']);
/** A process that does not say hello is given up after this long, ms. */
const HELLO_MS = 9900;

/**
 * No kernel is taken down while its functional probe passes, unless somebody asked for it or its memory is out of bounds; no process is
 * ended for nothing. What is true is read from the simulated thread itself, not from what the core was told.
 */
export function accusation(env: Environment): Invariant {
  const asked = new Set<string>();
  const ending = new Set<SimCell>();
  /** The latest incarnation of each kernel that had a thread. */
  const born = new Map<string, number>();
  /** When the machine was full last. */
  let fullAt = -Infinity;

  const newsMs = (): number => NEWS_MS + (env.now - fullAt < 5000 ? 2500 : 0);

  const outOfMemory = (thread: SimThread): boolean => {
    if (env.now - thread.letGoAt <= newsMs()) return true;
    const { heapBytes, externalBytes } = thread.manifest.limits;
    const ahead = (thread.leak?.bytesPerMs ?? 0) * MEMORY_AHEAD_MS;
    const heap = thread.heapBytes + (thread.leak?.of === 'heap' ? ahead : 0);
    const external = thread.externalBytes + (thread.leak?.of === 'external' ? ahead : 0);
    return heap > heapBytes * MEMORY_SHARE || external > externalBytes * MEMORY_SHARE;
  };

  const cellOutOfMemory = (cell: SimCell): boolean => {
    const limit = env.schedule.topology.settings.cellMemoryBytes * MEMORY_SHARE;
    return (cell.sample(env.now).rssBytes ?? 0) > limit;
  };

  const judge = (kernel: string, reason: string): void => {
    const record = env.state.kernels[kernel]!;
    if (asked.has(kernel) || env.state.phase === 'stopping') return;
    if (record.solitary !== null && record.cause === 'isolate') return;
    const found = env.threadOf(kernel);
    if (!found || found.thread.incarnation !== record.incarnation) return;
    const { thread, cell } = found;
    thread.advance(env.now);
    if (env.now - thread.unwellAt <= newsMs() || outOfMemory(thread) || cellOutOfMemory(cell)) return;
    if (env.schedule.topology.leaning.includes(kernel) && needsUnwell(kernel)) {
      const down = thread.manifest.needs.find((need) => env.state.kernels[need]!.state !== 'running');
      if (down === undefined) return;
      throw new Violation(
        'blamed_for_a_need',
        env.now,
        `${kernel} is taken down (${reason}) although only what it needs, ${down}, is down`,
      );
    }
    const late = env.now - fullAt < 5000 || cell.blocked || thread.trouble === 'chunks' || thread.cap !== null;
    throw new Violation(
      late ? 'late_kernel_restarted' : 'well_kernel_restarted',
      env.now,
      `${kernel} is taken down although its functional probe passes (${thread.trouble ?? 'nothing is wrong with it'}): ${reason}`,
    );
  };

  /** A kernel that comes up is ended only when it failed, ran out of time, or what it needs is down. */
  const judgeStart = (kernel: string, from: string, reason: string): void => {
    const record = env.state.kernels[kernel]!;
    if (asked.has(kernel) || env.state.phase === 'stopping') return;
    if (from !== 'waiting' && env.now >= record.dueMono) return;
    if (env.now - record.orderedMono >= LOAD_MS || record.manifest.needs.some((need) => !isUp(need))) return;
    // A thread that is there no more has ended; one that was not there yet has done nothing.
    if (born.get(kernel) === record.incarnation) {
      const found = env.threadOf(kernel);
      if (!found || found.thread.incarnation !== record.incarnation || found.thread.trait !== null) return;
      found.thread.advance(env.now);
      if (env.now - found.thread.unwellAt <= newsMs() || outOfMemory(found.thread) || cellOutOfMemory(found.cell))
        return;
    }
    throw new Violation(
      'well_kernel_restarted',
      env.now,
      `${kernel} is ended while it comes up, and nothing is wrong with it: ${reason}`,
    );
  };

  const isUp = (kernel: string): boolean => env.state.kernels[kernel]!.state === 'running';

  const needsUnwell = (kernel: string): boolean =>
    env.state.kernels[kernel]!.manifest.needs.some((need) => {
      const found = env.threadOf(need);
      if (!found) return true;
      found.thread.advance(env.now);
      return found.thread.stage !== 'started' || env.now - found.thread.unwellAt <= newsMs() + 3000;
    });

  const judgeKill = (command: Extract<Command, { do: 'kill-cell' }>): void => {
    const cell = env.cells.get(command.cell);
    if (!cell || ending.has(cell)) return;
    ending.add(cell);
    if (!cell.online || env.state.phase === 'stopping') return;
    if (cell.frozen || env.now - Math.max(cell.thawedAt, cell.unwellAt) <= newsMs() || cellOutOfMemory(cell)) return;
    for (const thread of cell.threads.values()) {
      thread.advance(env.now);
      if (env.now - thread.unwellAt <= newsMs()) return;
    }
    throw new Violation(
      'cell_killed_without_reason',
      env.now,
      `cell ${cell.id} is killed although it answers, and so do its threads`,
    );
  };

  return {
    event(event) {
      if ('by' in event && event.t !== 'throttle' && event.t !== 'tune') asked.add(event.kernel);
    },
    command(command) {
      if (command.do === 'kill-cell') judgeKill(command);
      else if (command.do === 'end-cell') {
        const cell = env.cells.get(command.cell);
        if (cell) ending.add(cell);
      } else if (command.do === 'journal' && command.draft.name === 'kernel:state') {
        const { kernel, data } = command.draft;
        if (data.to === 'running') asked.delete(kernel!);
        else if (data.from === 'running') judge(kernel!, data.reason);
        else if (data.to === 'stopping' && COMING_UP.has(data.from)) judgeStart(kernel!, data.from, data.reason);
      }
    },
    threadBorn(thread) {
      born.set(thread.manifest.id, thread.incarnation);
    },
    beat() {
      if (env.machine.full) fullAt = env.now;
      for (const cell of env.cells.values()) {
        if (!cell.online && env.state.cells[cell.id]?.state === 'stopping' && !ending.has(cell)) {
          const waited = env.now - env.state.cells[cell.id]!.orderedMono;
          if (waited < HELLO_MS && env.state.phase !== 'stopping')
            throw new Violation(
              'cell_killed_without_reason',
              env.now,
              `cell ${cell.id} is ended ${waited} ms after it was started`,
            );
        }
      }
    },
  };
}
