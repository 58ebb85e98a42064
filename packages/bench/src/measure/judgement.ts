import { completeManifest, SETTINGS_DEFAULTS, type ThreadSample } from '@grace/contracts';
import { type CoreState, decide, initialState } from '@grace/supervisor';
import { median } from '../figures.ts';
import type { Sample } from './sample.ts';

const KERNELS = 200;
const CELLS = 40;
const ROUNDS = 200;

/** One round of judgement: a sample of each cell goes through the decision core, with full windows behind it. */
export function measureJudgement(): Sample {
  const kernels = Array.from({ length: KERNELS }, (_, n) =>
    completeManifest(
      { id: `kernel_${n}`, title: 'judged', cell: `cell_${n % CELLS}` },
      { module: '/none.js', builtin: true },
    ),
  );
  const safeguards = { heartbeatDetector: true, mute: true, restartEngine: true };
  let state: CoreState = initialState({ kernels, safeguards, settings: SETTINGS_DEFAULTS }, 0, 1, 'bench');
  for (const kernel of Object.values(state.kernels))
    Object.assign(kernel, { state: 'running', incarnation: 1, thread: 'loaded' });
  for (let n = 0; n < CELLS; n++)
    state = decide(state, { t: 'cell-online', cell: `cell_${n}`, incarnation: 0, pid: 1 }, 0).state;
  const rounds: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const now = round * 500;
    const samples = Array.from({ length: CELLS }, (_, n) => {
      const threads = kernels.filter(({ cell }) => cell === `cell_${n}`).map(({ id }) => quietSample(id, now));
      return { cell: `cell_${n}`, atMono: now, agentLagMs: 0, cpuPercent: 1, rssBytes: 1e8, threads };
    });
    const started = performance.now();
    for (const sample of samples) state = decide(state, { t: 'sample', sample }, now).state;
    rounds.push(performance.now() - started);
  }
  return { judgement: { floor: 1, value: median(rounds) } };
}

function quietSample(kernel: string, now: number): ThreadSample {
  return {
    kernel,
    incarnation: 1,
    atMono: now,
    heartbeatAgeMs: 40,
    elu: 0.01,
    cpuMs: now / 100,
    runDelayMs: now / 1000,
    heapBytes: 8e6,
    externalBytes: 2e6,
    heapAtMono: now,
    cap: null,
    missed: null,
    logs: 0,
    errors: 0,
    work: 0,
    published: 0,
    refused: 0,
    servedMs: 0,
  };
}
