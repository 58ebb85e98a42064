import type { BusClient } from '@grace/bus/client';
import { type Plan, participate } from './participant.ts';

/** What a participant needs of a kernel's context. */
interface Context {
  bus: BusClient;
  incarnation: number;
  config: unknown;
  signal: AbortSignal;
}

/** A participant inside the system: a kernel. */
export const participantKernel = (id: string) => ({
  id,
  start({ bus, incarnation, config, signal }: Context) {
    participate(bus, id, incarnation, config as Plan, signal);
    return { verbs: {}, probe: () => ({ connected: bus.connected }) };
  },
});
