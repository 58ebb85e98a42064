import { type BenchSystem, bootSystem } from '../system.ts';
import type { Sample } from './sample.ts';

const MEMORIES = 100_000;
/** Verbs under way at once while the memories are written. */
const AT_ONCE = 256;
const QUESTIONS = 300;
const VOCABULARY = 30_000;

/** A memory of 100,000 items in a whole system: questions through the verb, one after the other, and a new start of the kernel on its state. */
export async function measureMemory(): Promise<Sample> {
  const system = await bootSystem();
  try {
    const text = texts();
    const kept = Array.from({ length: MEMORIES }, text);
    let next = 0;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (next < MEMORIES) await system.call('memory_fusion', 'remember', { text: kept[next++]! });
      }),
    );
    const readyMs = await restart(system);
    const took: number[] = [];
    for (let n = -1; n < QUESTIONS; n++) {
      const words = kept[(n + 1) * 331]!.split(' ');
      const query = [0, 3, 5, 8].map((at) => words[at]).join(' ');
      const started = performance.now();
      const found = await system.call<unknown[]>('memory_fusion', 'recall', { query });
      if (found.length === 0) throw new Error(`nothing was recalled by "${query}"`);
      // The first reads the vectors from disk.
      if (n >= 0) took.push(performance.now() - started);
    }
    const p95 = took.sort((a, b) => a - b)[Math.floor(QUESTIONS * 0.95)]!;
    return { recall: { floor: 0, value: p95 }, recall_ready: { floor: 0, value: readyMs } };
  } finally {
    await system.stop();
  }
}

async function restart(system: BenchSystem): Promise<number> {
  const kernel = async () => (await system.status()).kernels.find(({ id }) => id === 'memory_fusion')!;
  const { incarnation } = await kernel();
  await system.client.request('restart', { kernel: 'memory_fusion', by: 'bench' }, 30_000);
  await system.until('memory_fusion is back', async () => {
    const now = await kernel();
    return now.incarnation > incarnation && now.state === 'running';
  });
  return (await kernel()).readyMs!;
}

/** Texts of 15 to 60 words whose frequency falls with their rank (Zipf). */
function texts(): () => string {
  let state = 42;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  // Ranks drawn from a density of 1 / (rank + 50); the letters of a word follow from its rank.
  const rank = (): number => Math.floor(50 * (VOCABULARY / 50 + 1) ** random() - 50);
  const word = (n: number): string => `w${(Math.imul(n + 1, 2_654_435_761) >>> 0).toString(36)}`;
  return () => Array.from({ length: 15 + Math.floor(random() * 46) }, () => word(rank())).join(' ');
}
