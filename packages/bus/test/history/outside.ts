/** A participant in a process outside of the system; ends with the one that started it. */
import { createBusClient } from '@grace/bus/client';
import { type Plan, participate } from './participant.ts';

export interface OutsideBirth {
  who: string;
  life: number;
  plan: Plan;
  socket: string;
  token: string;
}

const ending = new AbortController();
process.on('disconnect', () => process.exit());
process.once('message', ({ who, life, plan, socket, token }: OutsideBirth) => {
  const bus = createBusClient();
  bus.dial(socket, token);
  participate(bus, who, life, plan, ending.signal);
});
