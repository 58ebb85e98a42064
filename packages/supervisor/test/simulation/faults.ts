import type { Environment } from './environment.ts';
import { loseSupervisor } from './loss.ts';
import type { Injection } from './schedule.ts';

/** How soon whoever stops a process notices that it was woken, ms. */
const STOP_AGAIN_MS = 150;

/** Does one injection to the system, at its moment. What has no target at that moment does nothing. */
export function inject(env: Environment, injection: Injection): void {
  switch (injection.do) {
    case 'trouble':
      env.afflict(injection.kernel, injection.trouble, injection.forMs);
      return;
    case 'crash': {
      const found = env.threadOf(injection.kernel);
      if (!found || found.thread.held) return;
      const error = injection.code === 0 ? null : { code: 'INTERNAL' as const, message: 'boom' };
      env.endThread(found.cell, found.thread, injection.code, error);
      return;
    }
    case 'trait':
      env.dooms.set(injection.kernel, { ...injection });
      return;
    case 'leak': {
      const thread = env.threadOf(injection.kernel)?.thread;
      if (!thread) return;
      thread.advance(env.now);
      const { heapBytes, externalBytes } = thread.manifest.limits;
      const limit = injection.of === 'heap' ? heapBytes : externalBytes;
      thread.leak = { of: injection.of, bytesPerMs: limit / injection.limitInMs };
      return;
    }
    case 'ignore_drain': {
      const found = env.threadOf(injection.kernel);
      if (found) found.thread.ignoresDrain = true;
      return;
    }
    case 'cell_crash': {
      const cell = env.cells.get(injection.cell);
      if (cell) env.endCell(cell, null, injection.signal);
      return;
    }
    case 'cell_freeze':
      freeze(env, injection);
      return;
    case 'cell_birth':
      env.births.set(injection.cell, { fate: injection.fate, spawns: injection.spawns });
      return;
    case 'saturate':
      if (env.machine.full) return;
      env.saturate(injection.waitMs, injection.share);
      env.later(injection.forMs, () => env.saturate(0, 1));
      return;
    case 'late_answers': {
      const cell = env.cells.get(injection.cell);
      if (!cell) return;
      cell.slowMs = injection.ms;
      env.later(injection.forMs, () => {
        cell.slowMs = 0;
      });
      return;
    }
    case 'restart':
      env.emit({ t: 'restart', kernel: injection.kernel, by: injection.by, reason: 'asked', correlation: undefined });
      return;
    case 'isolate':
      env.emit({ t: 'isolate', kernel: injection.kernel, by: 'operator' });
      return;
    case 'pause': {
      const { kernel, resumeAfterMs } = injection;
      env.emit({ t: 'pause', kernel, by: 'operator' });
      if (resumeAfterMs !== null) env.later(resumeAfterMs, () => env.emit({ t: 'resume', kernel, by: 'operator' }));
      return;
    }
    case 'resume':
      env.emit({ t: 'resume', kernel: injection.kernel, by: 'operator' });
      return;
    case 'quarantine':
      env.emit({ t: 'quarantine', kernel: injection.kernel, by: 'operator', reason: 'asked' });
      return;
    case 'throttle':
      env.emit({ t: 'throttle', kernel: injection.kernel, by: 'operator', cpu: injection.cpu, forMs: injection.forMs });
      return;
    case 'correlate':
      env.emit({ t: 'correlate', kernels: injection.kernels, correlation: injection.correlation });
      return;
    case 'denied': {
      const { principal, count, mutedForMs } = injection;
      env.emit({ t: 'denied', principal, count, windowMs: 1000, threshold: 200 });
      if (mutedForMs === null) return;
      env.emit({ t: 'muted', principal, denied: count, periodMs: mutedForMs });
      env.later(mutedForMs, () => env.emit({ t: 'unmuted', principal }));
      return;
    }
    case 'supervisor_loss':
      loseSupervisor(env, injection.cut, injection.awayMs);
      return;
    case 'stop':
      env.emit({ t: 'stop', reason: 'asked', timeoutMs: injection.timeoutMs });
      return;
    default:
      injection satisfies never;
  }
}

function freeze(env: Environment, injection: Extract<Injection, { do: 'cell_freeze' }>): void {
  const cell = env.cells.get(injection.cell);
  if (!cell) return;
  const until = env.now + injection.forMs;
  let again = injection.again;
  cell.freeze(injection.stopped);
  const look = (): void => {
    if (env.now >= until) {
      cell.thaw();
      return;
    }
    if (!cell.frozen && again > 0 && injection.stopped) {
      again--;
      cell.freeze(true);
    }
    env.later(Math.min(STOP_AGAIN_MS, until - env.now), look);
  };
  env.later(Math.min(STOP_AGAIN_MS, injection.forMs), look);
}

/** Faults stop. What is broken stays broken, what would go wrong again and again without a reason to give up on it does not any more. */
export function calm(env: Environment): void {
  env.births.clear();
  env.saturate(0, 1);
  for (const cell of env.cells.values()) for (const thread of cell.threads.values()) thread.endLeak(env.now);
  for (const [kernel, doom] of env.dooms) {
    const { restart } = env.state.kernels[kernel]!.manifest;
    const atOnce = doom.trait === 'load_fails' || doom.trait === 'load_crashes' || doom.trait === 'start_throws';
    if (!atOnce || restart.windowMs < 60_000 || restart.backoffMs > 50) env.dooms.delete(kernel);
  }
}
