import { bootSystem } from '../system.ts';

/** What one kernel adds: measured when it alone starts again, in a system where all others are up. */
export interface KernelCost {
  id: string;
  /** From the order to start to the first answered functional probe, ms. */
  readyMs: number;
  heapBytes: number;
  /** Off the heap: buffers, WebAssembly memory. */
  externalBytes: number;
}

const ROUNDS = 3;

export async function measureKernels(): Promise<KernelCost[]> {
  const system = await bootSystem();
  const kernel = async (id: string) => (await system.status()).kernels.find((one) => one.id === id)!;
  try {
    const costs: KernelCost[] = [];
    for (const { id } of (await system.status()).kernels) {
      const rounds: Omit<KernelCost, 'id'>[] = [];
      for (let n = 0; n < ROUNDS; n++) {
        const { incarnation } = await kernel(id);
        await system.client.request('restart', { kernel: id, by: 'bench' }, 30_000);
        await system.until(`${id} is back`, async () => {
          const now = await kernel(id);
          return now.incarnation > incarnation && now.state === 'running' && now.heapBytes !== null;
        });
        const { readyMs, heapBytes, externalBytes } = await kernel(id);
        rounds.push({ readyMs: readyMs!, heapBytes: heapBytes!, externalBytes: externalBytes ?? 0 });
      }
      rounds.sort((a, b) => a.readyMs - b.readyMs);
      costs.push({ id, ...rounds[ROUNDS >> 1]! });
    }
    return costs;
  } finally {
    await system.stop();
  }
}
