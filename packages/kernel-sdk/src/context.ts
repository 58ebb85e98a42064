import type { BusClient } from '@grace/bus/client';
import { type Clock, GraceError, type Redactor } from '@grace/contracts';
import type { BrokerAccess, KernelContext, KernelLog, SupervisorAccess } from './kernel.ts';
import type { Listeners } from './listeners.ts';
import { createSecretAccess } from './secret-access.ts';
import type { KernelStore } from './store.ts';

export interface ContextParts {
  id: string;
  incarnation: number;
  config: Readonly<Record<string, unknown>>;
  stateDir: string;
  bus: BusClient;
  store: KernelStore;
  log: KernelLog;
  clock: Clock;
  signal: AbortSignal;
  supervisor: SupervisorAccess;
  broker: BrokerAccess | null;
  listeners: Listeners;
  redactor: Redactor;
}

/** Deadline of `ctx.call` where the kernel gives none, ms. */
const CALL_DEADLINE_MS = 5000;

/** What is longer than timers can count, they take for 1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export function createContext(parts: ContextParts): KernelContext {
  const { id, incarnation, config, stateDir, bus, store, log, clock, signal, supervisor, broker, listeners, redactor } =
    parts;
  return {
    id,
    incarnation,
    config,
    stateDir,
    bus,
    store,
    log,
    clock,
    signal,
    secrets: createSecretAccess(bus, redactor),
    supervisor,
    broker,
    onPressure: listeners.onPressure,
    onNeed: listeners.onNeed,
    call: (kernel, verb, input, options = {}) =>
      bus.request(`kernel.${kernel}.call.${verb}`, input ?? {}, { deadlineMs: CALL_DEADLINE_MS, ...options }),
    every(ms, work) {
      if (!(ms >= 1 && ms <= MAX_TIMER_MS))
        throw new GraceError('BAD_INPUT', `ctx.every: expected milliseconds from 1 to ${MAX_TIMER_MS}, got ${ms}`);
      if (signal.aborted) return;
      let busy = false;
      const run = async (): Promise<void> => {
        if (busy) return;
        busy = true;
        try {
          await work();
        } catch (error) {
          log.error('periodic work failed', { error: error instanceof Error ? error.message : String(error) });
        } finally {
          busy = false;
        }
      };
      const timer = setInterval(() => void run(), ms);
      signal.addEventListener('abort', () => clearInterval(timer), { once: true });
    },
  };
}
