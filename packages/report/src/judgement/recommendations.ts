import type { BootFacts, Claim, Facet, RunFacts, TrialFacts } from '../model.ts';
import { duration, list } from '../text/units.ts';

interface Ground {
  trial: TrialFacts;
  facet: Facet;
  run: RunFacts;
  boot: BootFacts;
}

/** Which safeguard stands behind a promise: when it is off, that is the cause and the advice. */
const SAFEGUARD_OF: Partial<Record<Facet['kind'], string[]>> = {
  'not detected': ['heartbeatDetector'],
  'detected late': ['heartbeatDetector'],
  'not recovered': ['restartEngine'],
  'recovered late': ['restartEngine'],
  'restart count': ['restartEngine'],
  'check failed': ['mute', 'restartEngine', 'heartbeatDetector'],
  latency: ['mute'],
  playbook: ['heartbeatDetector', 'mute'],
};

const SAFEGUARD_NAMES: Readonly<Record<string, string>> = {
  heartbeatDetector: 'the heartbeat detector',
  mute: 'the mute of principals that break the access rules',
  restartEngine: 'the restart engine',
};

/** How a safeguard is named in sentences. */
export function safeguardName(safeguard: string): string {
  return SAFEGUARD_NAMES[safeguard] ?? safeguard;
}

/** The safeguards that were off and stand behind what is false here. */
export function safeguardsBehind(facet: Facet, trial: TrialFacts, run: RunFacts): string[] {
  const behind = SAFEGUARD_OF[facet.kind] ?? [];
  return run.safeguardsOff.filter((name) => behind.includes(name) && concerns(name, trial));
}

/** A safeguard explains only faults it is there for. */
function concerns(safeguard: string, trial: TrialFacts): boolean {
  if (safeguard === 'mute')
    return trial.fault === 'acl_spam' || trial.expect?.detectedBy.includes('bus_counter') === true;
  if (safeguard === 'heartbeatDetector') return trial.expect?.detectedBy.includes('heartbeat') === true;
  return true;
}

/** One rule per thing that can be false. Each names the records it rests on. */
export function recommend(ground: Ground): Claim {
  const { trial, facet, run, boot } = ground;
  const off = safeguardsBehind(facet, trial, run);
  if (off.length > 0) {
    return { text: `Switch on ${list(off.map(safeguardName))}: off since boot.`, evidence: boot.evidence.slice(0, 1) };
  }
  return { text: advice(ground), evidence: facet.evidence };
}

/** Checks of which it is known where to look when they are false. */
const CHECK_ADVICE: Readonly<Record<string, string>> = {
  accepted_handled:
    'Look for the missing messages of the flood in the dead letters (grace bus dead) and in the file of the bus: each was acknowledged to its publisher, so each must be there.',
  pushed_back:
    'Bound what the bus takes from one publisher: what is neither handled nor refused with BUS_OVERLOADED fills the disk.',
  heartbeats_fresh:
    'Find what the control lane shares with the data lane: a flood on the one must not delay a heartbeat on the other.',
  others_round_trips:
    'Find what the messages of others waited for: the queue of the flooded subscriber, the window of its publisher, or the thread that routes.',
  grew_at_most:
    'Find what is kept in memory for each message that waits: a backlog belongs on the disk, a queue needs a bound.',
  damage_named:
    'Run grace log verify on a copy of the record: each kind of damage needs a name of its own and the place where it is.',
  record_repaired:
    'Run grace log repair by hand, and look at why the playbook for a damaged record did not: its trigger, its conditions, its budget.',
  record_whole:
    'Run grace log verify and grace log repair: the record still has flaws, and what is appended behind them shares their fate.',
  acknowledged_kept:
    'Restore the missing entries from the mirror of the record or from its tiles, and switch the mirror on if it is off: they were acknowledged.',
};

/** `damage_named` of a check `damage_named checksum`. */
function checkOf(facet: Facet): string {
  return facet.text.split('"')[1]?.split(' ')[0] ?? '';
}

function advice({ trial, facet }: Ground): string {
  const { target, expect } = trial;
  const fault = trial.fault ?? 'this fault';
  const run = trial.playbookRuns.at(-1);
  switch (facet.kind) {
    case 'effect not proven':
      return `Find out why ${fault} does not act on ${target} on this machine, then run the scenario again; until then it says nothing.`;
    case 'not detected':
      return `Give ${target} a detector that sees ${fault}: ${list(expect?.detectedBy ?? [])} stayed silent while its effect was proven.`;
    case 'detected late':
      return `Shorten what delays ${list(expect?.detectedBy ?? [])} on ${target}: the heartbeat interval, lateAfterMs or hungAfterMs in its manifest.`;
    case 'not recovered':
      if (trial.targetRestarts.length === 0)
        return `Find out why no restart of ${target} was ordered: look at its restart class and at the incident.`;
      return run && run.outcome !== 'healed'
        ? revise(run)
        : `Look at why the ${trial.targetRestarts.length === 1 ? 'restart' : 'restarts'} of ${target} did not bring it back: its start error, its needs, its restart budget.`;
    case 'recovered late':
      return `Find the slow part of the way back of ${target}: restart delay, readyMs of its start, or the playbook's steps.`;
    case 'collateral restarts':
      return `Keep ${target} from taking others along: if they share a cell, isolate ${target} into one of its own; otherwise find the cause of that restart.`;
    case 'restart count':
      return `Look at the causes of the restarts of ${target}: one signal alone may not restart a kernel that still passes its functional probe.`;
    case 'lost messages':
      return 'Follow the first lost message from its acceptance: what the bus has accepted must be handled, rejected, expired or dead-lettered.';
    case 'conservation':
      return 'Compare the accounts of the bus (grace bus stats) with those of the workload, family by family: what one counts and the other does not is lost or counted twice.';
    case 'latency':
      return `Find what the neighbours waited for while ${fault} acted on ${target}: a shared queue, a shared core, or the cell's main thread.`;
    case 'playbook':
      return run
        ? revise(run)
        : `Check the trigger of playbook ${expect?.playbook}: no run of it is in the journal for this incident.`;
    case 'check failed':
      return (
        CHECK_ADVICE[checkOf(facet)] ??
        `Repair what check ${facet.text.split('"')[1] ?? ''} looks at, or correct the check if the expectation is wrong.`
      );
    case 'check unknown':
      return `Make check ${facet.text.split('"')[1] ?? ''} answerable: an unknown check can never be held.`;
    case 'undo not verified':
      return 'Run grace heal, then find out why the undo could not be verified.';
    case 'runner late':
      return `Repeat the trial on a machine with free cores: a runner late by ${duration(trial.runnerLagMsMax)} cannot time others.`;
    case 'baseline':
      return 'Bring the system back to its steady state before the wave, then run the scenario again.';
    case 'calls failed':
      return `Find out why calls to kernels beside ${target} failed while ${fault} acted on it.`;
    case 'not ended':
      return 'Run the scenario again to its end.';
    case 'other':
      return 'Read the records of the trial.';
  }
}

function revise(run: TrialFacts['playbookRuns'][number]): string {
  return `Revise playbook ${run.playbook} or its condition for this incident: it ended ${run.outcome}.`;
}
