/** `pnpm simulate`: plays schedules of faults against the decision core, by seed. Exit code 1 when an invariant broke. */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { writeFigures } from './figures.ts';
import { makeSchedule } from './generate.ts';
import { type Failure, playSeed, type Simulation, simulate } from './simulate.ts';
import { story } from './story.ts';

interface Share {
  seed: number;
  schedules: number;
  step: number;
  failuresMax: number;
}

interface News {
  schedules: number;
  events: number;
  simulatedMs: number;
  stories: { invariant: string; story: string }[];
  ended: boolean;
}

const TRACE = 30;
const NEWS_EVERY_MS = 1000;

if (isMainThread) await main();
else work(workerData as Share);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      schedules: { type: 'string', default: '2000' },
      jobs: { type: 'string', default: '2' },
      failures: { type: 'string', default: '1' },
      keep: { type: 'string' },
      figures: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(
      'pnpm simulate [--schedules 2000] [--seed 1] [--jobs 2] [--failures 1]\n' +
        '  plays that many schedules from the seed on, until so many have failed\n' +
        'pnpm simulate --figures docs/architecture/simulation.md\n' +
        '  the same, and writes the figures into that page\n' +
        'pnpm simulate --seed 4 --keep 1,5\n' +
        '  plays one seed with only these of its injections (or: all, none), and prints what happened',
    );
    return;
  }
  const number = (name: 'seed' | 'schedules' | 'jobs' | 'failures'): number => {
    const given = Number(values[name]);
    if (Number.isInteger(given) && given >= (name === 'seed' ? -(2 ** 31) : 1)) return given;
    console.error(`--${name} is "${values[name]}"; expected a whole number${name === 'seed' ? '' : ' from 1 on'}`);
    process.exit(64);
  };
  if (values.keep !== undefined) again(number('seed'), values.keep);
  else await many(number('seed'), number('schedules'), number('jobs'), number('failures'), values.figures);
}

/** One seed, as it was printed. */
function again(seed: number, keep: string): void {
  const schedule = makeSchedule(seed);
  const all = schedule.injections.map((_, index) => index);
  const kept = keep === 'all' ? all : keep === 'none' ? [] : keep.split(',').map(Number);
  const strange = kept.find((index) => !all.includes(index));
  if (strange !== undefined) {
    console.error(`--keep names injection ${strange}; seed ${seed} has 0 to ${all.length - 1}`);
    process.exit(64);
  }
  const { broken, trace, ms } = playSeed(seed, undefined, kept, TRACE);
  const failure: Failure = {
    seed,
    broken: broken ?? { invariant: 'not_settled', atMs: ms, message: '' },
    schedule,
    keep: kept,
    kept: kept.map((index) => schedule.injections[index]!),
    trace,
  };
  const text = story(failure);
  console.log(broken ? text : `seed ${seed} breaks nothing\n${text.split('\n').slice(2).join('\n')}`);
  process.exitCode = broken ? 1 : 0;
}

async function many(
  seed: number,
  schedules: number,
  jobs: number,
  failuresMax: number,
  page: string | undefined,
): Promise<void> {
  const began = performance.now();
  const news: News[] = [];
  const sum = (of: 'schedules' | 'events' | 'simulatedMs'): number =>
    news.reduce((total, one) => total + (one?.[of] ?? 0), 0);
  let told = began;
  const tell = (): void => {
    const s = (performance.now() - began) / 1000;
    const done = sum('schedules');
    console.log(
      `${done} of ${schedules} schedules, ${sum('events')} events, ${Math.round(sum('simulatedMs') / 3_600_000)} h simulated in ${s.toFixed(0)} s: ${Math.round(done / s)} schedules/s, ${Math.round(sum('events') / s / 1000)},000 events/s`,
    );
  };
  const workers = Array.from({ length: Math.min(jobs, schedules) }, (_, n) => {
    const count = Math.floor(schedules / jobs) + (n < schedules % jobs ? 1 : 0);
    const share: Share = { seed: seed + n, schedules: count, step: jobs, failuresMax };
    const worker = new Worker(new URL(import.meta.url), { workerData: share });
    worker.on('message', (message: News) => {
      news[n] = message;
      if (performance.now() - told < 10_000) return;
      told = performance.now();
      tell();
    });
    return worker;
  });
  await Promise.all(workers.map((worker) => once(worker, 'exit')));
  const stories = news.flatMap((one) => one.stories);
  for (const { story: text } of stories) console.log(`\n${text}\n`);
  tell();
  const counts = Map.groupBy(stories, ({ invariant }) => invariant);
  for (const [invariant, found] of counts) console.log(`${invariant}: ${found.length}`);
  console.log(
    stories.length === 0
      ? `seeds ${seed} to ${seed + schedules - 1}: every invariant held`
      : `${stories.length} failed`,
  );
  process.exitCode = stories.length === 0 && news.every((one) => one.ended) ? 0 : 1;
  if (page === undefined) return;
  const seconds = (performance.now() - began) / 1000;
  writeFigures(page, {
    machine: `${availableParallelism()} cores, Node ${process.versions.node}`,
    seeds: `${seed} to ${seed + schedules - 1}`,
    schedules: sum('schedules'),
    failed: stories.length,
    events: sum('events'),
    'simulated hours': Math.round(sum('simulatedMs') / 360_000) / 10,
    'seconds of this run': Math.round(seconds * 10) / 10,
    jobs,
    'schedules a second': Math.round(sum('schedules') / seconds),
    'events a second': Math.round(sum('events') / seconds),
  });
}

function work(share: Share): void {
  let told = performance.now();
  const tell = (done: Simulation, ended: boolean): void => {
    const { schedules, events, simulatedMs, failures } = done;
    const stories = failures.map((failure) => ({ invariant: failure.broken.invariant, story: story(failure) }));
    parentPort!.postMessage({ schedules, events, simulatedMs, stories, ended } satisfies News);
  };
  const done = simulate({
    ...share,
    progress(far) {
      if (performance.now() - told < NEWS_EVERY_MS) return;
      told = performance.now();
      tell(far, false);
    },
  });
  tell(done, true);
}
