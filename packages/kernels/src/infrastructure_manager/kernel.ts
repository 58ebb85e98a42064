import { arch, availableParallelism, platform, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { GraceError } from '@grace/contracts';
import { defineKernel, is, readInput } from '@grace/kernel-sdk';
import { RESOURCES, type Resource, THRESHOLD_DEFAULTS } from './pressure.ts';
import { probeInfrastructure } from './probe.ts';
import { createProcFiles } from './proc/files.ts';
import { createSampler, type PressureChange } from './sampler.ts';
import { createSamples } from './samples.ts';
import { readSnapshotSettings } from './snapshots/settings.ts';
import { snapshotVerbs } from './snapshots/verbs.ts';
import { TABLES } from './tables.ts';
import { type Thresholds, thresholdProblem } from './threshold.ts';

const SAMPLE_MS = 5000;
const MAX_SAMPLES = 720;
const THRESHOLDS = 'thresholds';
/** Named from here: bundled, what is loaded later lies in another folder. */
const CHECKER = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './pool.ts' : './infrastructure_manager-pool.js', import.meta.url),
);

export default defineKernel({
  id: 'infrastructure_manager',
  start(ctx) {
    const proc = is.optional(is.string())(ctx.config['proc'], 'config.proc') ?? '/proc';
    const sys = is.optional(is.string())(ctx.config['sys'], 'config.sys') ?? '/sys';
    const sampleMs = is.optional(is.number({ min: 50 }))(ctx.config['sampleMs'], 'config.sampleMs') ?? SAMPLE_MS;
    const files = createProcFiles(proc, sys);
    ctx.store.migrate(TABLES);
    const samples = createSamples(ctx.store, MAX_SAMPLES);
    let thresholds = { ...THRESHOLD_DEFAULTS, ...ctx.store.get<Record<Resource, Thresholds>>(THRESHOLDS) };
    const sampler = createSampler(ctx, files, proc, () => thresholds);
    let taken = 0;

    const publish = async (change: PressureChange): Promise<void> => {
      ctx.log.info('pressure changed', { ...change });
      try {
        await ctx.bus.publish(`telemetry.pressure.${change.resource}`, { ...change, atMono: ctx.clock.monoMs() });
      } catch (error) {
        ctx.log.warn('a change of pressure could not be published', { ...change, error: (error as Error).message });
      }
    };
    const round = async (): Promise<void> => {
      const { sample, changes } = await sampler.take();
      // Asked to end meanwhile: the store is about to be closed.
      if (ctx.signal.aborted) return;
      const { readings, cells } = sample;
      const brief = cells.map(({ cell, cpuPercent, rssBytes, threads }) => ({
        cell,
        cpuPercent,
        rssBytes,
        threads: threads.length,
      }));
      samples.add(ctx.clock.wallMs(), { readings, cells: brief });
      taken += 1;
      await Promise.all(changes.map(publish));
    };
    ctx.every(sampleMs, round);
    // Loaded beside the start: it reads the disk, and nothing of the start waits for it.
    const settings = readSnapshotSettings(ctx);
    const hygiene = import('./snapshots/hygiene.ts').then(({ openHygiene }) => openHygiene(ctx, settings, CHECKER));
    hygiene.catch((error: Error) => ctx.log.error('snapshots cannot be used', { error: error.message }));
    // The first one soon, beside the start.
    round().catch((error: Error) => ctx.log.error('the first sample failed', { error: error.message }));

    return {
      verbs: {
        async inventory(input) {
          readInput(input, {});
          const [{ complete, places, home }, cgroup, memory] = await Promise.all([
            sampler.places(),
            files.cgroup(),
            files.memory(),
          ]);
          const cells = places.map(async ({ cell, pid, kernels }) => ({
            cell,
            pid,
            kernels: Object.entries(kernels).map(([tid, kernel]) => ({ kernel, tid: Number(tid) })),
            threads: (await files.threads(pid))?.length ?? null,
          }));
          return {
            machine: {
              platform: platform(),
              release: release(),
              architecture: arch(),
              cores: availableParallelism(),
              memoryBytes: memory?.totalBytes ?? totalmem(),
              node: process.version,
            },
            cgroup,
            home,
            complete,
            cells: await Promise.all(cells),
          };
        },
        async usage(input) {
          const { samples: limit } = readInput(input, {
            samples: is.optional(is.number({ min: 1, max: MAX_SAMPLES, integer: true })),
          });
          const sample = sampler.last() ?? (await sampler.take()).sample;
          return limit === undefined ? sample : { ...sample, samples: samples.last(limit) };
        },
        async pressure(input) {
          readInput(input, {});
          const { readings } = sampler.last() ?? (await sampler.take()).sample;
          const levels = sampler.levels();
          const entries = RESOURCES.map((name) => [name, { level: levels[name], ...readings[name] }]);
          return Object.fromEntries(entries);
        },
        thresholds(input) {
          const { set } = readInput(input, { set: is.optional(is.record()) });
          if (set) {
            thresholds = { ...thresholds, ...readThresholds(set, thresholds) };
            ctx.store.set(THRESHOLDS, thresholds);
          }
          return thresholds;
        },
        ...snapshotVerbs(hygiene),
        async status(input) {
          readInput(input, {});
          return {
            levels: sampler.levels(),
            taken,
            kept: samples.count(),
            complete: sampler.last()?.complete ?? null,
            sampleMs,
            snapshots: await hygiene.then(
              (open) => open.summary(),
              (error: Error) => ({ error: error.message }),
            ),
          };
        },
      },
      probe: async () => ({
        ...(await probeInfrastructure(files, proc, () => ctx.clock.monoMs())),
        // Null: they cannot be used, as the log says; usage is told all the same.
        snapshots: await hygiene.then(
          (open) => open.summary()['good'],
          () => null,
        ),
      }),
      drain: async () =>
        await hygiene.then(
          (open) => open.settled(),
          () => {},
        ),
    };
  },
});

const SHARE = is.optional(is.number({ min: 0, max: 1 }));
const TIMES = is.optional(is.number({ min: 1, max: 1000, integer: true }));

function readThresholds(
  set: Record<string, unknown>,
  before: Readonly<Record<Resource, Thresholds>>,
): Partial<Record<Resource, Thresholds>> {
  const names = Object.keys(set).map((name) => is.oneOf(RESOURCES)(name, 'input.set'));
  const entries = names.map((name) => {
    const given = readInput(set[name], {
      raised: SHARE,
      high: SHARE,
      critical: SHARE,
      margin: SHARE,
      riseAfter: TIMES,
      fallAfter: TIMES,
    });
    const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    const next = { ...before[name], ...stated } as Thresholds;
    const problem = thresholdProblem(next);
    if (problem !== undefined) throw new GraceError('BAD_INPUT', `input.set.${name}: ${problem}`);
    return [name, next];
  });
  return Object.fromEntries(entries);
}
