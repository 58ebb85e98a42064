import type { BusClient } from '@grace/bus/client';
import type { Clock } from '@grace/contracts';
import type { BrokerAccess, KernelContext, KernelLog, SupervisorAccess } from './kernel.ts';
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
}

/** Deadline of `ctx.call` where the kernel gives none, ms. */
const CALL_DEADLINE_MS = 5000;

export function createContext(parts: ContextParts): KernelContext {
  return {
    ...parts,
    call: (kernel, verb, input, options = {}) =>
      parts.bus.request(`kernel.${kernel}.call.${verb}`, input ?? {}, { deadlineMs: CALL_DEADLINE_MS, ...options }),
    every(ms, work) {
      let busy = false;
      const run = async (): Promise<void> => {
        if (busy) return;
        busy = true;
        try {
          await work();
        } catch (error) {
          parts.log.error('periodic work failed', { error: error instanceof Error ? error.message : String(error) });
        } finally {
          busy = false;
        }
      };
      const timer = setInterval(() => void run(), ms);
      parts.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
    },
  };
}
