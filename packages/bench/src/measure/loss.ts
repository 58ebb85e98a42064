import { systemClock } from '@grace/contracts';
import type { BenchSystem } from '../system.ts';
import type { Sample } from './sample.ts';

/**
 * SIGKILL of the supervisor: how long until another one has adopted the kernels, and how many requests between two kernels failed
 * meanwhile. They ask each other over the bus all the time, which no supervisor is needed for.
 */
export async function measureLoss(system: BenchSystem): Promise<Sample> {
  const before = await system.status();
  await system.call('bench_asker', 'keepAsking', { to: 'bench_far' });
  const started = systemClock.monoMs();
  process.kill(before.system.pid, 'SIGKILL');
  const after = await system.reconnect(before.system.pid);
  const ms = systemClock.monoMs() - started;
  const { asked, failed } = await system.call<{ asked: number; failed: number }>('bench_asker', 'stopAsking');
  if (asked === 0) throw new Error('nothing was asked while the supervisor was away');
  const restarted = after.kernels.filter(
    ({ id, incarnation }) => before.kernels.find((kernel) => kernel.id === id)?.incarnation !== incarnation,
  );
  return {
    adopted: { floor: 1, value: ms },
    loss_failed: { floor: 0, value: failed + restarted.length },
  };
}
