/** `pnpm bench`: floors and Grace side by side in one run. `--repetitions N` (default 5), `--dry` prints without writing. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FIGURES, type Measured, verdict } from './figures.ts';
import { measureBus } from './measure/bus.ts';
import { measureDurable } from './measure/durable.ts';
import { measureFlood } from './measure/flood.ts';
import { measureJudgement } from './measure/judgement.ts';
import { measureKernels } from './measure/kernels.ts';
import { measureLedger } from './measure/ledger.ts';
import { measureCap, measureFalseRestarts } from './measure/limits.ts';
import { measureLoss } from './measure/loss.ts';
import { measureMemory } from './measure/memory.ts';
import { measureBlock, measureOffHeap, measureRecovery } from './measure/recovery.ts';
import { measureRest } from './measure/rest.ts';
import type { Sample } from './measure/sample.ts';
import { measureScale } from './measure/scale.ts';
import { page } from './page.ts';
import { benchKernels, bootSystem } from './system.ts';

const { values } = parseArgs({
  options: { repetitions: { type: 'string', default: '5' }, dry: { type: 'boolean', default: false } },
});
const repetitions = Number(values.repetitions);
if (!(repetitions >= 1)) throw new Error(`--repetitions takes a whole number from 1, not "${values.repetitions}"`);
const root = fileURLToPath(new URL('../../../', import.meta.url));

const measured: Measured[] = FIGURES.map((figure) => ({ figure, floors: [], values: [] }));
const take = (sample: Sample): void => {
  for (const [id, { floor, value }] of Object.entries(sample)) {
    const entry = measured.find(({ figure }) => figure.id === id)!;
    entry.floors.push(floor);
    entry.values.push(value);
  }
};

let kernels = 0;
const costs = await measureKernels();
for (let n = 1; n <= repetitions; n++) {
  process.stderr.write(`repetition ${n} of ${repetitions}\n`);
  take(await measureRest());
  take(await measureLedger());
  take(measureJudgement());
  take(await measureFlood());
  take(await measureDurable());
  // A minute and two hundred kernels each: once is enough for what has no spread.
  if (n === 1) take(await measureScale());
  if (n === 1) take(await measureMemory());
  const system = await bootSystem({ kernels: benchKernels() });
  try {
    kernels = (await system.status()).system.total - 4;
    take(await measureRecovery(system, 9));
    take(await measureBus(system));
    take(await measureCap(system));
    take(await measureOffHeap(system));
    if (n === 1) take(await measureFalseRestarts(system));
    take(await measureLoss(system));
    // Last: it moves the kernel into a cell of its own.
    take(await measureBlock(system));
  } finally {
    await system.stop();
  }
}

const date = new Date().toISOString().slice(0, 10);
const facts = { date, node: process.versions.node, cores: availableParallelism(), repetitions, kernels };
for (const entry of measured.filter(({ values: grace }) => grace.length > 0)) {
  const { floor, value, ratio, holds } = verdict(entry);
  console.log(
    `${holds ? '  ok' : 'MISS'} ${entry.figure.title}: floor ${floor.toFixed(1)}, Grace ${value.toFixed(1)} ${entry.figure.unit}, ratio ${ratio.toFixed(2)}`,
  );
}
if (!values.dry) {
  mkdirSync(`${root}bench/results`, { recursive: true });
  writeFileSync(
    `${root}bench/results/${date}.json`,
    `${JSON.stringify({ facts, measured: measured.map(({ figure, floors, values: grace }) => ({ id: figure.id, floors, grace })), kernels: costs }, null, 1)}\n`,
  );
  writeFileSync(
    `${root}docs/benchmarks.md`,
    page(
      facts,
      measured.filter(({ values: grace }) => grace.length > 0),
      costs,
    ),
  );
  console.log('written: docs/benchmarks.md');
}
