import { floor } from '../floor.ts';
import type { BenchSystem } from '../system.ts';
import type { Sample } from './sample.ts';

/** Round trips and floods between kernels of one cell and of two. */
export async function measureBus(system: BenchSystem): Promise<Sample> {
  const hub = await floor('hub');
  const socket = await floor('socket');
  const trip = async (to: string): Promise<number> =>
    (await system.call<{ roundTripUs: number }>('bench_asker', 'roundTrip', { to, trips: 3000 })).roundTripUs;
  const flood = async (to: string): Promise<number> => {
    const messages = 100_000;
    const handled = system.call(to, 'expect', { messages });
    const started = performance.now();
    await system.call('bench_asker', 'flood', { to, messages, window: 2000 });
    await handled;
    return messages / ((performance.now() - started) / 1000);
  };
  return {
    trip_near: { floor: hub['roundTripUs']!, value: await trip('bench_near') },
    rate_near: { floor: hub['perSecond']!, value: await flood('bench_near') },
    trip_far: { floor: socket['roundTripUs']!, value: await trip('bench_far') },
    rate_far: { floor: socket['perSecond']!, value: await flood('bench_far') },
  };
}
