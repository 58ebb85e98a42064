import { processExists } from '../fault/process-table.ts';
import type { CheckOrder } from '../scenario/scenario.ts';
import { busConserves, deniedCounted, muted, nothingAccepted } from './bus.ts';
import { cellKept, cellKilled, cellMatesBack, cellReplaced, movedAlone, onlyItsCellEnded } from './cells.ts';
import type { CheckContext, CheckResult } from './context.ts';
import { conditionNamed, incidentOpened, playbookRan, stackNames } from './journal.ts';
import { cellMatesUntouched, nobodyRestarted, noRestart, restartedOnce, workWentOn } from './kernels.ts';
import { heldToShare, limitLifted, throttled } from './limits.ts';
import { stateIntact } from './marker.ts';
import { grewAtMost, pressureRecorded, readyAfterPressure } from './memory.ts';
import { CHECK_NAMES, type CheckName } from './names.ts';

type Check = (context: CheckContext, value: CheckOrder['value']) => CheckResult | Promise<CheckResult>;

const CHECKS: Record<CheckName, Check> = {
  fault_undone: ({ undone }) => ({
    expected: 'nobody holds the fault',
    observed: undone.verified ? 'nobody does' : 'it could not be verified, or somebody still does',
    ok: undone.verified,
  }),
  no_restart: noRestart,
  nobody_restarted: nobodyRestarted,
  restarted_once: restartedOnce,
  cell_replaced: cellReplaced,
  cell_mates_back: cellMatesBack,
  cell_mates_untouched: cellMatesUntouched,
  cell_kept: cellKept,
  cell_killed: cellKilled,
  only_its_cell_ended: onlyItsCellEnded,
  moved_alone: movedAlone,
  state_intact: stateIntact,
  work_went_on: workWentOn,
  muted,
  denied_counted: deniedCounted,
  nothing_accepted: nothingAccepted,
  bus_conserves: busConserves,
  incident_opened: incidentOpened,
  playbook_ran: playbookRan,
  condition_named: conditionNamed,
  stack_names: stackNames,
  throttled,
  held_to_share: heldToShare,
  limit_lifted: limitLifted,
  pressure_recorded: pressureRecorded,
  ready_after_pressure: readyAfterPressure,
  grew_at_most: grewAtMost,
  others_latency: othersLatency,
  hog_ended: ({ injection }) => ({
    expected: `process ${injection.pid} gone`,
    observed: injection.pid !== null && processExists(injection.pid) ? 'it runs' : 'it is gone',
    ok: injection.pid === null ? null : !processExists(injection.pid),
  }),
};

/** Runs one check; one that throws could not be evaluated, and unknown is not true. */
export async function runCheck(order: CheckOrder, context: CheckContext): Promise<CheckResult> {
  const name = order.name as CheckName;
  try {
    return await CHECKS[name](context, order.value);
  } catch (error) {
    return { expected: CHECK_NAMES[name].proves, observed: `not evaluated: ${(error as Error).message}`, ok: null };
  }
}

function othersLatency({ sample, quiet, variant }: CheckContext): CheckResult {
  const { latencyFactor, latencySlackMs } = variant.expect;
  const bound = quiet.verbs.p99Ms * latencyFactor + latencySlackMs;
  return {
    expected: `p99 at most ${bound.toFixed(1)} ms`,
    observed: `${sample.verbs.p99Ms.toFixed(1)} ms over ${sample.verbs.ok} calls`,
    ok: sample.verbs.ok === 0 || quiet.verbs.ok === 0 ? null : sample.verbs.p99Ms <= bound,
  };
}
