import { floor } from '../floor.ts';
import { bootSystem } from '../system.ts';
import { measureAtRest } from './at-rest.ts';
import type { Sample } from './sample.ts';

/** Boot, memory and CPU at rest of the product as it is, beside as many empty threads in the same layout. */
export async function measureRest(): Promise<Sample> {
  const system = await bootSystem();
  try {
    const { cells, system: about } = await system.status();
    const [ready] = (await system.client.request('journal.read', { after: 0, limit: 10_000, names: ['system:ready'] }))
      .records;
    const { bytes, cpuPercent } = await measureAtRest(about.guardianPid ?? about.pid);
    const bare = await floor('empty-cells', cells.map((cell) => cell.kernels.length).join(','));
    return {
      boot: { floor: bare['bootMs']!, value: system.bootMs },
      boot_inside: { floor: bare['bootMs']!, value: (ready!.data as { ms: number }).ms },
      memory: { floor: bare['pssBytes']! / 1e6, value: bytes / 1e6 },
      cpu: { floor: bare['cpuPercent']!, value: cpuPercent },
    };
  } finally {
    await system.stop();
  }
}
