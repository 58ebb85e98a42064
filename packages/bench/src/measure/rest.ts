import { floor } from '../floor.ts';
import { cpuMs, pssBytes, tree } from '../proc.ts';
import { bootSystem } from '../system.ts';
import type { Sample } from './sample.ts';

const REST_MS = 3000;

/** Boot, memory and CPU at rest of the product as it is, beside as many empty threads in the same layout. */
export async function measureRest(): Promise<Sample> {
  const system = await bootSystem();
  try {
    const { cells, system: about } = await system.status();
    const [ready] = (await system.client.request('journal.read', { after: 0, limit: 10_000, names: ['system:ready'] }))
      .records;
    const pids = tree(about.guardianPid ?? about.pid);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const used = (): number => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
    const before = used();
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    const cpu = ((used() - before) / REST_MS) * 100;
    const memory = pids.reduce((sum, pid) => sum + pssBytes(pid), 0);
    const bare = await floor('empty-cells', cells.map((cell) => cell.kernels.length).join(','));
    return {
      boot: { floor: bare['bootMs']!, value: system.bootMs },
      boot_inside: { floor: bare['bootMs']!, value: (ready!.data as { ms: number }).ms },
      memory: { floor: bare['pssBytes']! / 1e6, value: memory / 1e6 },
      cpu: { floor: bare['cpuPercent']!, value: cpu },
    };
  } finally {
    await system.stop();
  }
}
