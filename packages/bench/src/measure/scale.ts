import { cpuMs, pssBytes, tree } from '../proc.ts';
import { bootSystem, manyKernels } from '../system.ts';
import type { Sample } from './sample.ts';

const FEW = 20;
const MANY = 200;
const PER_CELL = 5;
const REST_MS = 3000;

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
    const pids = tree(guardianPid ?? pid);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const used = (): number => pids.reduce((sum, each) => sum + cpuMs(each), 0);
    const before = used();
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    return {
      bootMs: system.bootMs,
      bytes: pids.reduce((sum, each) => sum + pssBytes(each), 0),
      cpuPercent: ((used() - before) / REST_MS) * 100,
    };
  } finally {
    await system.stop();
  }
}
