import type { CheckOrder } from '../scenario/scenario.ts';
import { busConserves, deniedCounted, muted, nothingAccepted } from './bus.ts';
import { cellKept, cellKilled, cellMatesBack, cellReplaced, movedAlone, onlyItsCellEnded } from './cells.ts';
import type { CheckContext, CheckResult } from './context.ts';
import { acceptedHandled, heartbeatsFresh, hogEnded, pushedBack } from './flood.ts';
import { conditionNamed, incidentOpened, playbookRan, stackNames } from './journal.ts';
import { cellMatesUntouched, nobodyRestarted, noRestart, restartedOnce, workWentOn } from './kernels.ts';
import { othersLatency, othersRoundTrips } from './latency.ts';
import { heldToShare, limitLifted, throttled } from './limits.ts';
import { stateIntact } from './marker.ts';
import { grewAtMost, pressureRecorded, readyAfterPressure } from './memory.ts';
import { CHECK_NAMES, type CheckName } from './names.ts';
import { acknowledgedKept, damageNamed, recordRepaired, recordWhole } from './record.ts';

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
  others_round_trips: othersRoundTrips,
  accepted_handled: acceptedHandled,
  pushed_back: pushedBack,
  heartbeats_fresh: heartbeatsFresh,
  damage_named: damageNamed,
  record_repaired: recordRepaired,
  record_whole: recordWhole,
  acknowledged_kept: acknowledgedKept,
  hog_ended: hogEnded,
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
