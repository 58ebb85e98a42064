/**
 * The states of a kernel. One function changes state, and it checks this table.
 *
 * waiting      its needs are not ready yet
 * starting     its thread exists; the module loads and `start` runs
 * probing      started; the first functional probe has not answered yet
 * running      the functional probe has answered: the kernel does its job
 * draining     asked to finish what it holds, with a deadline
 * stopping     its thread is being ended
 * backoff      down; a restart is due
 * stopped      down on purpose (paused, or the system stops), or ended by itself where its restart class allows that
 * failed       down; its class or the boot does not restart it
 * quarantined  down; the restart budget is used up, or somebody asked for it; the incident is escalated
 */
export const KERNEL_STATES = [
  'waiting',
  'starting',
  'probing',
  'running',
  'draining',
  'stopping',
  'backoff',
  'stopped',
  'failed',
  'quarantined',
] as const;

export type KernelState = (typeof KERNEL_STATES)[number];

export const TRANSITIONS: Readonly<Record<KernelState, readonly KernelState[]>> = {
  waiting: ['starting', 'stopping', 'backoff', 'stopped', 'failed', 'quarantined'],
  starting: ['probing', 'stopping', 'backoff', 'failed', 'quarantined', 'stopped'],
  probing: ['running', 'stopping', 'backoff', 'failed', 'quarantined', 'stopped'],
  running: ['draining', 'stopping', 'backoff', 'failed', 'quarantined', 'stopped'],
  draining: ['stopping', 'backoff', 'stopped', 'failed', 'quarantined'],
  stopping: ['backoff', 'stopped', 'failed', 'quarantined'],
  backoff: ['waiting', 'starting', 'stopped', 'quarantined'],
  stopped: ['waiting', 'starting', 'quarantined'],
  failed: ['waiting', 'starting', 'stopped', 'quarantined'],
  quarantined: ['waiting', 'starting', 'stopped'],
};

export function mayMove(from: KernelState, to: KernelState): boolean {
  return TRANSITIONS[from].includes(to);
}

/** Up: a thread of the kernel exists. */
export function hasThread(state: KernelState): boolean {
  return (
    state === 'starting' || state === 'probing' || state === 'running' || state === 'draining' || state === 'stopping'
  );
}

/** What the judgement may say about a running kernel. `healthy` and `late` never lead to a restart. */
export const CONDITIONS = [
  'healthy',
  'late',
  'starved',
  'spinning',
  'blocked',
  'leaking',
  'flooding',
  'silent',
  'dead',
] as const;
export type Condition = (typeof CONDITIONS)[number];

/** OTP's words: permanent is always restarted, transient only after a failure, temporary never. */
export const RESTART_CLASSES = ['permanent', 'transient', 'temporary'] as const;
export type RestartClass = (typeof RESTART_CLASSES)[number];

export const CRITICALITIES = ['critical', 'standard', 'optional'] as const;
export type Criticality = (typeof CRITICALITIES)[number];
