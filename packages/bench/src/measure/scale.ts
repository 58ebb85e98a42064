import { bootSystem, manyKernels } from '../system.ts';
import { measureAtRest } from './at-rest.ts';
import type { Sample } from './sample.ts';

const FEW = 20;
const MANY = 200;
const PER_CELL = 5;

/** Boot, memory and CPU at rest of 200 small kernels against ten times those of 20. */
export async function measureScale(): Promise<Sample> {
  const few = await measure(FEW);
  const many = await measure(MANY);
  const times = MANY / FEW;
  return {
    scale_boot: { floor: few.bootMs * times, value: many.bootMs },
    scale_memory: { floor: (few.bytes / 1e6) * times, value: many.bytes / 1e6 },
    scale_cpu: { floor: few.cpuPercent * times, value: many.cpuPercent },
  };
}

async function measure(count: number): Promise<{ bootMs: number; bytes: number; cpuPercent: number }> {
  const system = await bootSystem({ kernels: manyKernels(count, PER_CELL), settings: { boot_deadline: '120s' } });
  try {
    const { pid, guardianPid } = (await system.status()).system;
    return { bootMs: system.bootMs, ...(await measureAtRest(guardianPid ?? pid)) };
  } finally {
    await system.stop();
  }
}
