import { GraceError } from '@grace/contracts';
import { runTrial, type TrialSite } from '../trial/run-trial.ts';
import { judgeRun } from '../verdict/judge-run.ts';
import type { PlannedTrial, PlannedWave } from './plan.ts';
import { awaitSteadyState, type SteadyState } from './steady-state.ts';

/** How long the system may take to reach its steady state before and after a wave, and between its groups, ms. */
const STEADY_DEADLINE_MS = 15_000;

/** Runs one wave between two steady-state gates. A wave is not started on a broken system: it is recorded as not run, with the reason. */
export async function runWave(site: TrialSite, wave: PlannedWave, missing: readonly string[]): Promise<void> {
  const { recorder, report, signal } = site;
  const { n, severity } = wave;
  for (const reason of missing) await skip(site, wave, reason);
  if (wave.groups.length === 0) return;
  const trials = wave.groups.flat().map(({ id }) => id);
  await recorder.append({ name: 'wave:start', data: { wave: n, severity, trials } });
  report({ t: 'wave', wave: n, severity, trials });

  const before = await gate(site, n, 'before');
  if (signal.aborted) return;
  if (!before.ok) {
    await skip(site, wave, `the system was not in its steady state: ${whyNot(before)}`);
    return;
  }
  for (const [index, group] of wave.groups.entries()) {
    if (index > 0) {
      const between = await settle(site);
      if (signal.aborted) return;
      if (!between.ok) {
        const left = wave.groups
          .slice(index)
          .flat()
          .map(({ id }) => id);
        await skip(site, wave, `${left.join(', ')} not run, the system did not settle: ${whyNot(between)}`);
        break;
      }
    }
    await runGroup(site, wave, group);
    if (signal.aborted) return;
  }
  await gate(site, n, 'after');
  if (!signal.aborted) await recorder.append({ name: 'wave:end', data: { wave: n } });
}

async function runGroup(site: TrialSite, wave: PlannedWave, group: readonly PlannedTrial[]): Promise<void> {
  const { recorder, report } = site;
  const settled = await Promise.allSettled(group.map((trial) => runTrial(site, trial)));
  for (const [index, result] of settled.entries()) {
    if (result.status === 'fulfilled') continue;
    const { reason } = result;
    if (!(reason instanceof GraceError) || reason.code === 'CONNECTION_CLOSED') throw reason;
    await skip(site, wave, `${group[index]!.id} could not be run: ${reason.message}`);
  }
  const records = await recorder.read(0);
  const ids = new Set(group.map(({ id }) => id));
  for (const { trial, verdict, reasons } of judgeRun(records, site.run).waves.flatMap(({ trials }) => trials)) {
    if (ids.has(trial)) report({ t: 'verdict', trial, verdict, reasons });
  }
}

/** The workload is sampled between trials too: what is lost there is lost all the same. */
async function settle(site: TrialSite): Promise<SteadyState> {
  const { control, recorder, workload, signal } = site;
  const stretch = workload.open(null, []);
  const state = await awaitSteadyState(control, workload, STEADY_DEADLINE_MS, signal);
  site.before = await stretch.close();
  await recorder.append({ name: 'workload:sample', data: site.before });
  return state;
}

async function gate(site: TrialSite, wave: number, when: 'before' | 'after'): Promise<SteadyState> {
  const state = await settle(site);
  if (site.signal.aborted) return state;
  await site.recorder.append({ name: 'steady:check', data: { wave, when, ...state } });
  site.report({ t: 'steady', wave, when, ok: state.ok, checks: state.checks });
  return state;
}

async function skip({ recorder, report }: TrialSite, { n, severity }: PlannedWave, reason: string): Promise<void> {
  await recorder.append({ name: 'wave:skip', data: { wave: n, severity, reason } });
  report({ t: 'wave-skip', wave: n, severity, reason });
}

function whyNot({ checks, heldMs }: SteadyState): string {
  const failed = checks.filter(({ ok }) => !ok).map(({ check, observed }) => `${check} (${observed})`);
  return failed.join(', ') || `it held for ${heldMs} ms only`;
}
