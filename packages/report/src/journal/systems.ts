import type { EventName, JournalRecord, Safeguards } from '@grace/contracts';
import type { SystemFacts } from '../model.ts';
import { type Journal, ref, refs } from './journal.ts';

interface System {
  id: string;
  title: string;
  owner: string;
  /** What the owner's functional probe may say that it knows: label -> field of the probe's answer. */
  known: Record<string, string>;
  /** What the journal itself shows it to have done in this run. */
  done: Record<string, (journal: Journal) => readonly { seq: number }[]>;
  /** Safeguard of the boot record that switches it. */
  safeguard?: keyof Safeguards;
}

const fired =
  (...methods: string[]) =>
  (journal: Journal) =>
    journal.of('detector:fire').filter((record) => methods.includes(record.data.method));
const all =
  (...names: EventName[]) =>
  (journal: Journal) =>
    journal.of(...names);

/** Phase 2: the parts that watch and heal, those of the supervisor first. */
const SYSTEMS: readonly System[] = [
  {
    id: 'heartbeat_watch',
    title: 'Heartbeat watch',
    owner: 'supervisor',
    known: {},
    done: { 'heartbeat detections': fired('heartbeat') },
    safeguard: 'heartbeatDetector',
  },
  {
    id: 'judgement',
    title: 'Judgement of samples',
    owner: 'supervisor',
    known: {},
    done: {
      'conditions named': all('kernel:condition'),
      'metric and log detections': fired('metric', 'log_activity'),
      'exit detections': fired('exit'),
    },
  },
  {
    id: 'functional_probes',
    title: 'Functional probes of the kernels',
    owner: 'supervisor',
    known: {},
    done: { 'probes journalled': all('kernel:probe'), 'probe detections': fired('probe') },
  },
  {
    id: 'restart_engine',
    title: 'Restart engine',
    owner: 'supervisor',
    known: {},
    done: { restarts: all('kernel:restart'), quarantines: all('kernel:quarantine') },
    safeguard: 'restartEngine',
  },
  {
    id: 'incidents',
    title: 'Incident record',
    owner: 'supervisor',
    known: {},
    done: {
      'incidents opened': all('incident:open'),
      'incidents closed': all('incident:close'),
      escalations: all('incident:escalate'),
    },
  },
  {
    id: 'error_recognition',
    title: 'Error Recognition System',
    owner: 'self_healing',
    known: { 'signatures known': 'signatures' },
    done: {},
  },
  {
    id: 'playbooks',
    title: 'Self-healing playbooks',
    owner: 'self_healing',
    known: { 'playbooks known': 'playbooks' },
    done: { 'playbook runs': all('playbook:start') },
  },
  {
    id: 'trigger_monitor',
    title: 'Runtime Trigger Monitor',
    owner: 'trigger_mesh',
    known: { 'rules known': 'rules' },
    done: {},
  },
  {
    id: 'health_probes',
    title: 'Health probes',
    owner: 'health_monitor',
    known: { 'probes defined': 'probes' },
    done: {},
  },
  {
    id: 'access_control',
    title: 'Bus access control',
    owner: 'message_bus',
    known: { 'principals with rules': 'principals' },
    done: { 'denial records': all('bus:denied'), mutes: all('bus:muted'), 'bus detections': fired('bus_counter') },
    safeguard: 'mute',
  },
  {
    id: 'snapshot_hygiene',
    title: 'Snapshot Hygiene Manager',
    owner: 'infrastructure_manager',
    known: { 'snapshots known': 'snapshots' },
    done: {},
  },
  {
    id: 'fix_tasks',
    title: 'Code scan and fix tasks',
    owner: 'coding_agent',
    known: { 'tasks known': 'tasks', 'patterns known': 'patterns' },
    done: {},
  },
  {
    id: 'refactor_tasks',
    title: 'Refactor Task System',
    owner: 'coding_agent',
    known: { 'refactorings known': 'refactorings' },
    done: {},
  },
  {
    id: 'handshake',
    title: 'Component handshake',
    owner: 'clarity_framework',
    known: { 'components registered': 'components' },
    done: {},
  },
  {
    id: 'decisions',
    title: 'Decision records',
    owner: 'clarity_framework',
    known: { 'decisions recorded': 'decisions' },
    done: {},
  },
  {
    id: 'policies',
    title: 'Policy decisions',
    owner: 'governance',
    known: { 'policies in force': 'policies' },
    done: {},
  },
  {
    id: 'invariants',
    title: 'System invariants',
    owner: 'verification_framework',
    known: { 'rules known': 'rules' },
    done: {},
  },
  {
    id: 'vault',
    title: 'Secret vault',
    owner: 'secret_manager',
    known: { 'secrets held': 'secrets' },
    done: {},
  },
  {
    id: 'planner',
    title: 'Goals and plans',
    owner: 'agentic_spine',
    known: { 'plans known': 'plans', 'goals known': 'goals' },
    done: {},
  },
  {
    id: 'tuning',
    title: 'Judgement of the other loops',
    owner: 'meta_loop',
    known: { 'knobs known': 'knobs', 'experiments known': 'experiments' },
    done: { 'knobs turned': all('kernel:tune') },
  },
  {
    id: 'learning',
    title: 'Learning from outcomes',
    owner: 'learning_integration',
    known: { 'outcomes known': 'outcomes' },
    done: {},
  },
  { id: 'schedule', title: 'Scheduler', owner: 'scheduler', known: { 'jobs known': 'jobs' }, done: {} },
  {
    id: 'audit_record',
    title: 'Audit record',
    owner: 'immutable_log',
    known: { 'records held': 'records' },
    done: {},
  },
];

export function systemFacts(journal: Journal): SystemFacts[] {
  const boot = journal.first('system:boot');
  return SYSTEMS.map((system) => {
    const ready = journal.of('kernel:ready').find((record) => record.kernel === system.owner);
    const { state, why, evidence } = start(system, boot, ready);
    const counts: Record<string, number | null> = {};
    for (const [label, field] of Object.entries(system.known)) counts[label] = known(ready?.data.probe, field);
    for (const [label, records] of Object.entries(system.done)) counts[label] = records(journal).length;
    const seen = Object.values(system.done).flatMap((records) => records(journal).slice(0, 1));
    return {
      id: system.id,
      title: system.title,
      owner: system.owner,
      started: state === 'unknown' ? null : state === 'running',
      state,
      why,
      counts,
      evidence: [...new Set([...evidence, ...refs(seen)])],
    };
  });
}

function start(
  system: System,
  boot: JournalRecord<'system:boot'> | undefined,
  ready: JournalRecord<'kernel:ready'> | undefined,
): Pick<SystemFacts, 'state' | 'why' | 'evidence'> {
  if (!boot) {
    if (system.owner !== 'supervisor' && ready)
      return { state: 'running', why: 'its kernel became ready', evidence: ref(ready) };
    return { state: 'unknown', why: 'no boot record', evidence: [] };
  }
  const { data } = boot;
  if (system.safeguard !== undefined && data.safeguards[system.safeguard] === false) {
    return { state: 'switched off', why: 'switched off at boot', evidence: ref(boot) };
  }
  if (system.owner === 'supervisor') return { state: 'running', why: 'part of the supervisor', evidence: ref(boot) };
  if (!data.kernels.includes(system.owner)) {
    return { state: 'absent', why: `there is no kernel ${system.owner} in this system`, evidence: ref(boot) };
  }
  // A kernel may be up without this part of its job: one that runs can say how much it knows.
  const silent = Object.values(system.known).every((field) => known(ready?.data.probe, field) === null);
  if (ready && Object.keys(system.known).length > 0 && silent) {
    return { state: 'absent', why: `${system.owner} does not have it`, evidence: ref(ready) };
  }
  return ready
    ? { state: 'running', why: 'its kernel became ready', evidence: ref(ready) }
    : { state: 'failed', why: `its kernel ${system.owner} never became ready`, evidence: ref(boot) };
}

/** A count in the probe's answer: a number, or the length of a list. */
function known(probe: Record<string, unknown> | undefined, field: string): number | null {
  const value = probe !== undefined && Object.hasOwn(probe, field) ? probe[field] : undefined;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  return Array.isArray(value) ? value.length : null;
}
