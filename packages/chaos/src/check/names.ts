/** Verification checks that a scenario may ask for: what each proves, and the value it takes, if it takes one. */
export const CHECK_NAMES = {
  fault_undone: { proves: 'no target holds the fault any more', takes: null },
  no_restart: { proves: 'the target runs in the same incarnation and thread as before', takes: null },
  nobody_restarted: { proves: 'every kernel runs in the same incarnation as before', takes: null },
  restarted_once: { proves: 'the target runs exactly one incarnation later than before', takes: null },
  cell_replaced: { proves: 'the cell of the target has another process than before', takes: null },
  cell_mates_back: { proves: 'every kernel of the cell is running and passes its functional probe', takes: null },
  cell_mates_untouched: { proves: 'the other kernels of the cell run in the same incarnation as before', takes: null },
  cell_kept: { proves: 'the cell of the target has the same process as before', takes: null },
  cell_killed: { proves: 'the cell of the target was ended by this signal', takes: 'the name of the signal' },
  only_its_cell_ended: {
    proves: 'one process of the system broke down, and it was the cell of the target',
    takes: null,
  },
  moved_alone: {
    proves: 'the target runs in a cell of its own, and was moved there by the system if it was not alone before',
    takes: null,
  },
  state_intact: { proves: 'what was written before the fault is read back after it', takes: null },
  work_went_on: { proves: 'the target answered verbs while the fault acted', takes: null },
  muted: { proves: 'the principal was muted after at most so many denials', takes: 'how many denials that may take' },
  denied_counted: { proves: 'the broker counted at least as many denials as the sender was told', takes: null },
  nothing_accepted: { proves: 'not one message of the flood was accepted', takes: null },
  bus_conserves: { proves: 'accepted = handled + rejected + expired + dead-lettered + waiting', takes: null },
  incident_opened: { proves: 'an incident of this kind was opened', takes: 'the kind of the incident' },
  playbook_ran: { proves: 'the expected playbook ran and its verification said healed', takes: null },
  condition_named: { proves: 'the judgement named this condition of the target', takes: 'the condition' },
  stack_names: { proves: 'the stack kept as evidence names this function', takes: 'the name of the function' },
  throttled: {
    proves: 'the target was held to a share of a core for overload, by a method that enforces it',
    takes: null,
  },
  held_to_share: {
    proves: 'its thread used at most so many times its limit, by the reading of the laboratory',
    takes: 'how many times the limit it may use',
  },
  limit_lifted: { proves: 'the limit was lifted when the overload was over', takes: null },
  pressure_recorded: { proves: 'memory pressure of the target was recorded before any restart', takes: null },
  ready_after_pressure: {
    proves: 'the target was ready again at most so long after the first sign of pressure',
    takes: 'how many ms that may take',
  },
  grew_at_most: { proves: 'the process of the target grew by at most so much', takes: 'how many MB' },
  others_latency: {
    proves: 'verbs of kernels that are no target were answered within the latency bounds',
    takes: null,
  },
  others_round_trips: {
    proves: 'messages of others over the same bus came back within twice the time before, and so many ms',
    takes: 'how many ms a busy machine may add',
  },
  accepted_handled: {
    proves: 'every message of the flood that was accepted was handled at least once, as its consumer counted',
    takes: null,
  },
  pushed_back: { proves: 'the publisher of the flood was refused with BUS_OVERLOADED', takes: null },
  heartbeats_fresh: { proves: 'no observed kernel missed its heartbeats while the fault acted', takes: null },
  damage_named: {
    proves: 'the system named this kind of damage at the record and in the segment where it was done',
    takes: 'the kind of damage',
  },
  record_repaired: { proves: 'the system repaired the record in this way', takes: 'the ways, as a or b' },
  record_whole: { proves: 'a verification of the whole record finds no flaw any more', takes: null },
  acknowledged_kept: {
    proves: 'every append that was acknowledged to the workload is read back with its content',
    takes: null,
  },
  hog_ended: { proves: 'no process of the laboratory is left', takes: null },
} as const satisfies Record<string, { proves: string; takes: string | null }>;

export type CheckName = keyof typeof CHECK_NAMES;
