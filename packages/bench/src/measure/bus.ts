import { floor } from '../floor.ts';
import type { BenchSystem } from '../system.ts';
import type { Sample } from './sample.ts';

/** Round trips and floods between kernels of one cell and of two. */
export async function measureBus(system: BenchSystem): Promise<Sample> {
  const hub = await floor('hub');
  const socket = await floor('socket');
  // No fewer than the floors take, and to warm up.
  const trip = async (to: string): Promise<number> =>
    (await system.call<{ roundTripUs: number }>('bench_asker', 'roundTrip', { to, trips: 10_000 })).roundTripUs;
  const flood = async (to: string, messages: number): Promise<number> => {
    const handled = system.call(to, 'expect', { messages });
    const started = performance.now();
    await system.call('bench_asker', 'flood', { to, messages, window: 2000 });
    await handled;
    return messages / ((performance.now() - started) / 1000);
  };
  // As many as the floor sends, by code that is compiled: what is asked is what the bus carries, not how fast it warms up.
  const rate = async (to: string): Promise<number> => {
    await flood(to, 100_000);
    return await flood(to, 200_000);
  };
  return {
    trip_near: { floor: hub['roundTripUs']!, value: await trip('bench_near') },
    rate_near: { floor: hub['perSecond']!, value: await rate('bench_near') },
    trip_far: { floor: socket['roundTripUs']!, value: await trip('bench_far') },
    rate_far: { floor: socket['perSecond']!, value: await rate('bench_far') },
  };
}
