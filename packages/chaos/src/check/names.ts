/** Verification checks that a scenario may ask for: what each proves, and the value it takes, if it takes one. */
export const CHECK_NAMES = {
  fault_undone: { proves: 'no target holds the fault any more', takes: null },
  no_restart: { proves: 'the target runs in the same incarnation and thread as before', takes: null },
  nobody_restarted: { proves: 'every kernel runs in the same incarnation as before', takes: null },
  restarted_once: { proves: 'the target runs exactly one incarnation later than before', takes: null },
  cell_replaced: { proves: 'the cell of the target has another process than before', takes: null },
  cell_mates_back: { proves: 'every kernel of the cell is running and passes its functional probe', takes: null },
  cell_mates_untouched: { proves: 'the other kernels of the cell run in the same incarnation as before', takes: null },
  state_intact: { proves: 'what was written before the fault is read back after it', takes: null },
  work_went_on: { proves: 'the target answered verbs while the fault acted', takes: null },
  muted: { proves: 'the principal was muted after at most so many denials', takes: 'how many denials that may take' },
  denied_counted: { proves: 'the broker counted at least as many denials as the sender was told', takes: null },
  nothing_accepted: { proves: 'not one message of the flood was accepted', takes: null },
  bus_conserves: { proves: 'accepted = handled + rejected + expired + dead-lettered + waiting', takes: null },
  incident_opened: { proves: 'an incident of this kind was opened', takes: 'the kind of the incident' },
  playbook_ran: { proves: 'the expected playbook ran and its verification said healed', takes: null },
  others_latency: {
    proves: 'verbs of kernels that are no target were answered within the latency bounds',
    takes: null,
  },
  hog_ended: { proves: 'no process of the laboratory is left', takes: null },
} as const satisfies Record<string, { proves: string; takes: string | null }>;

export type CheckName = keyof typeof CHECK_NAMES;
