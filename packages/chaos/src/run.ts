import { availableParallelism } from 'node:os';
import {
  ACTOR_FAULTS,
  CELL_FAULTS,
  type Conservation,
  GraceError,
  type RunResult,
  THREAD_FAULTS,
} from '@grace/contracts';
import { type ControlClient, connectControl } from '@grace/control';
import { cleanUp, sweepLeases } from './cleanup.ts';
import { createRecorder, type Recorder } from './journal/recorder.ts';
import { type LoopLag, watchLoopLag } from './observe/loop-lag.ts';
import { pause } from './observe/wait.ts';
import type { RunnerOptions } from './options.ts';
import type { Report } from './progress.ts';
import { readScenario } from './scenario/list.ts';
import { inSystem, type Scenario } from './scenario/scenario.ts';
import { judgeRun } from './verdict/judge-run.ts';
import { withNeedsMet } from './wave/needs.ts';
import { type PlannedWave, planWaves } from './wave/plan.ts';
import { runWave } from './wave/run-wave.ts';
import { startWorkload } from './workload/workload.ts';

const READY_DEADLINE_MS = 60_000;
/** The quiet stretch every latency is compared with, ms. */
const QUIET_MS = 1500;
const PERMIT_MS = 3_600_000;

/**
 * One whole run against a system that is armed and running.
 * @throws GraceError `NOT_RUNNING`, `NOT_ARMED`, `SCENARIO_INVALID`, `CONNECTION_CLOSED` when the supervisor is lost
 */
export async function run(options: RunnerOptions, report: Report, signal: AbortSignal): Promise<RunResult> {
  const files = options.scenarios.map(readScenario);
  const control = await connectControl(options.home, { role: 'runner', name: `run ${options.run}` });
  const lag = watchLoopLag();
  try {
    if (!control.supervisor.armed)
      throw new GraceError('NOT_ARMED', 'the system was not booted armed, so nothing can be injected into it');
    await control.request('ready', {}, READY_DEADLINE_MS);
    for (const text of await sweepLeases(control, options.home)) report({ t: 'message', level: 'warn', text });
    const { kernels } = await control.request('status', {});
    const scenarios = files.map((scenario) => inSystem(scenario, kernels));
    return await drill({ options, scenarios, control, recorder: createRecorder(control), lag, report, signal });
  } finally {
    lag.stop();
    control.close();
  }
}

interface Drill {
  options: RunnerOptions;
  scenarios: Scenario[];
  control: ControlClient;
  recorder: Recorder;
  lag: LoopLag;
  report: Report;
  signal: AbortSignal;
}

/** From `run:start` to `run:end`; whatever happens between them, faults are undone and the end is recorded. */
async function drill(parts: Drill): Promise<RunResult> {
  const { options, control, recorder, lag, signal } = parts;
  const waves = planWaves(parts.scenarios, options);
  await announce(parts, waves);
  const whole = lag.mark();
  const permit = await control.request('drill.permit', {
    holder: `run ${options.run}`,
    faults: [...THREAD_FAULTS, ...CELL_FAULTS, ...ACTOR_FAULTS],
    durationMs: PERMIT_MS,
  });
  const failures: unknown[] = [];
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    await work().catch((error: unknown) => failures.push(error));
  };
  let conservation: Conservation | null = null;
  await attempt(async () => {
    conservation = await runWaves(parts, waves, permit.id);
  });
  const cleanup = await cleanUp(control, options.home, options.run);
  await attempt(() => control.request('drill.revoke', { id: permit.id }));
  await attempt(() =>
    recorder.append({
      name: 'run:end',
      data: {
        interrupted: signal.aborted,
        cleanup,
        runnerLagMsMax: Math.round(whole.maxMs()),
        ...(conservation ? { conservation } : {}),
      },
    }),
  );
  if (failures.length > 0) throw failures[0];
  return judgeRun(await recorder.read(0), options.run);
}

/** @returns what became of every message of the workload */
async function runWaves(parts: Drill, waves: readonly PlannedWave[], permit: string): Promise<Conservation> {
  const { options, control, recorder, lag, report, signal } = parts;
  const { kernels } = await control.request('status', {});
  const ids = kernels.map(({ id }) => id);
  const workload = await startWorkload(control, ids);
  try {
    const stretch = workload.open(null, []);
    await pause(QUIET_MS, signal);
    const quiet = await stretch.close();
    await recorder.append({ name: 'workload:sample', data: quiet });
    const { home, run, actorEntry } = options;
    const site = {
      control,
      recorder,
      home,
      run,
      actorEntry,
      workload,
      quiet,
      before: quiet,
      lag,
      permit,
      report,
      signal,
    };
    for (const planned of waves) {
      if (signal.aborted) break;
      const { wave, missing } = withNeedsMet(planned, ids);
      await runWave(site, wave, missing);
    }
    return await workload.conservation();
  } finally {
    await workload.close();
  }
}

async function announce({ options, scenarios, control, recorder, report }: Drill, waves: PlannedWave[]): Promise<void> {
  const { run, seed, command, commit, dirty, trials } = options;
  await recorder.append({
    name: 'run:start',
    data: {
      run,
      seed,
      command,
      version: control.supervisor.version,
      node: process.version,
      cores: availableParallelism(),
      commit,
      dirty,
      waves: options.waves,
      trials,
      scenarios: scenarios.map(({ id }) => id),
    },
  });
  report({
    t: 'run',
    run,
    seed,
    waves: waves.map(({ n, severity, groups }) => ({
      n,
      severity,
      groups: groups.map((group) =>
        group.map(({ id, scenario, variant }) => ({
          trial: id,
          scenario: scenario.id,
          variant: variant.id,
          title: scenario.title,
        })),
      ),
    })),
  });
  if (options.attach)
    report({ t: 'message', level: 'info', text: `attached to the system in ${options.home}; it stays up afterwards` });
}
