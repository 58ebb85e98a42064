import { decide as coreDecide } from '../../src/core/decide.ts';
import type { Command, CoreEvent } from '../../src/core/events.ts';
import type { CoreState, KernelRecord } from '../../src/core/state.ts';
import type { Decide } from './environment.ts';
import type { InvariantName } from './invariants/invariant.ts';

/** A core with one defect: what the simulation is there to find. */
export interface Planted {
  defect: string;
  /** The invariants of which one must break. */
  breaks: InvariantName[];
  decide: Decide;
}

/** The state with every kernel changed by `change`. */
function kernels(
  state: CoreState,
  change: (kernel: KernelRecord, id: string) => Partial<KernelRecord> | null,
): CoreState {
  const entries = Object.entries(state.kernels).map(
    ([id, kernel]) => [id, { ...kernel, ...change(kernel, id) }] as const,
  );
  return { ...state, kernels: Object.fromEntries(entries) };
}

/** The core with other commands. */
function orders(change: (commands: Command[], state: CoreState, event: CoreEvent) => Command[]): Decide {
  return (state, event, now) => {
    const next = coreDecide(state, event, now);
    return { state: next.state, commands: change(next.commands, next.state, event) };
  };
}

/** The core with another event, or none. */
function hears(change: (event: CoreEvent, state: CoreState) => CoreEvent | null): Decide {
  return (state, event, now) => coreDecide(state, change(event, state) ?? { t: 'tick' }, now);
}

const without = (name: string) => (command: Command) => command.do !== 'journal' || command.draft.name !== name;

export const PLANTED: readonly Planted[] = [
  {
    defect: 'a hang is believed without asking the functional probe',
    breaks: ['well_kernel_restarted', 'late_kernel_restarted'],
    decide: (state, event, now) => {
      if (event.t !== 'sample') return coreDecide(state, event, now);
      const unanswered = kernels(state, ({ probe }) => ({
        probe: { ...probe, inFlight: true, askedMono: now - 5000, last: null },
      }));
      const next = coreDecide(unanswered, event, now);
      const probes = kernels(next.state, ({ probe }, id) => ({
        probe: probe.askedMono === now - 5000 ? state.kernels[id]!.probe : probe,
      }));
      return { ...next, state: probes };
    },
  },
  {
    defect: 'one probe is enough, and one without an answer in time counts like one that failed',
    breaks: ['late_kernel_restarted', 'well_kernel_restarted'],
    decide: (state, event, now) =>
      event.t !== 'probed' || event.ok
        ? coreDecide(state, event, now)
        : coreDecide(
            kernels(state, (kernel, id) => (id === event.kernel ? { probe: { ...kernel.probe, failures: 9 } } : null)),
            { ...event, error: { code: 'INTERNAL', message: 'it failed' } },
            now,
          ),
  },
  {
    defect: 'nobody sees that threads wait for a processor',
    breaks: ['late_kernel_restarted', 'cell_killed_without_reason'],
    decide: hears((event) => {
      if (event.t === 'machine') return { ...event, busy: 0, lagMs: 0 };
      if (event.t === 'cell-inspected') return { ...event, main: null };
      if (event.t !== 'sample') return event;
      const threads = event.sample.threads.map((thread) => ({
        ...thread,
        runDelayMs: 0,
        heartbeatAgeMs: 0,
        missed: null,
      }));
      return { ...event, sample: { ...event.sample, agentLagMs: 0, threads } };
    }),
  },
  {
    defect: 'what a kernel needs is forgotten when its probe fails',
    breaks: ['blamed_for_a_need'],
    decide: (state, event, now) => {
      if (event.t !== 'probed' || state.kernels[event.kernel]!.state !== 'running')
        return coreDecide(state, event, now);
      const alone = kernels(state, (kernel, id) =>
        id === event.kernel ? { manifest: { ...kernel.manifest, needs: [] } } : null,
      );
      const next = coreDecide(alone, event, now);
      return { ...next, state: kernels(next.state, (_, id) => ({ manifest: state.kernels[id]!.manifest })) };
    },
  },
  {
    defect: 'no thread is ended before its process is',
    breaks: ['cell_killed_without_reason'],
    decide: orders((commands) => commands.filter((command) => command.do !== 'terminate')),
  },
  {
    defect: 'the restart budget is forgotten',
    breaks: ['budget_exceeded'],
    decide: (state, event, now) =>
      coreDecide(
        kernels(state, () => ({ budgetUsed: {} })),
        event,
        now,
      ),
  },
  {
    defect: 'a kernel that was given up is started again by the next tick',
    breaks: ['given_up_but_restarted'],
    decide: (state, event, now) => {
      const given = Object.entries(state.kernels).find(([, kernel]) => kernel.state === 'quarantined');
      if (event.t !== 'machine' || !given) return coreDecide(state, event, now);
      return coreDecide(
        state,
        { t: 'restart', kernel: given[0], by: 'nobody', reason: 'none', correlation: undefined },
        now,
      );
    },
  },
  {
    defect: 'the end of a thread is taken for granted when it is ordered',
    breaks: ['two_alive'],
    decide: (state, event, now) => {
      const next = coreDecide(state, event, now);
      const order = next.commands.find((command) => command.do === 'terminate');
      if (order?.do !== 'terminate') return next;
      const { kernel, incarnation } = order;
      const after = coreDecide(next.state, { t: 'exited', kernel, incarnation, code: 1, error: null }, now);
      return { state: after.state, commands: [...next.commands, ...after.commands] };
    },
  },
  {
    defect: 'incarnations begin anew after a crash',
    breaks: ['incarnation_not_growing', 'journal_not_coherent'],
    decide: (state, event, now) =>
      coreDecide(
        kernels(state, (kernel) => (kernel.state === 'backoff' ? { incarnation: 0 } : null)),
        event,
        now,
      ),
  },
  {
    defect: 'news of a former incarnation is taken for news of the present one',
    breaks: [
      'two_alive',
      'not_settled',
      'waits_for_ever',
      'journal_not_coherent',
      'well_kernel_restarted',
      'cell_killed_without_reason',
    ],
    decide: hears((event, state) =>
      'kernel' in event && 'incarnation' in event
        ? { ...event, incarnation: state.kernels[event.kernel]!.incarnation }
        : event,
    ),
  },
  {
    defect: 'a draining kernel is written down as waiting',
    breaks: ['transition_not_in_table'],
    decide: orders((commands) =>
      commands.map((command) =>
        command.do === 'journal' && command.draft.name === 'kernel:state' && command.draft.data.to === 'draining'
          ? { ...command, draft: { ...command.draft, data: { ...command.draft.data, to: 'waiting' } } }
          : command,
      ),
    ),
  },
  {
    defect: 'a change of state is not written down',
    breaks: ['journal_not_coherent'],
    decide: orders((commands) =>
      commands.filter(
        (command) =>
          command.do !== 'journal' || command.draft.name !== 'kernel:state' || command.draft.data.to !== 'stopping',
      ),
    ),
  },
  {
    defect: 'the last rung of the kill ladder is missing',
    breaks: ['waits_for_ever', 'stop_not_finished'],
    decide: orders((commands) => commands.filter((command) => command.do !== 'kill-cell')),
  },
  {
    defect: 'a crash is not heard',
    breaks: ['not_settled', 'waits_for_ever', 'incident_left_open'],
    decide: hears((event, state) =>
      event.t === 'exited' && state.kernels[event.kernel]!.state === 'running' ? null : event,
    ),
  },
  {
    defect: 'every probe counts as passed',
    breaks: ['hang_not_noticed', 'not_settled'],
    decide: hears((event) => (event.t === 'probed' ? { ...event, ok: true, error: null } : event)),
  },
  {
    defect: 'memory is not looked at',
    breaks: ['leak_not_noticed'],
    decide: hears((event) =>
      event.t === 'sample'
        ? {
            ...event,
            sample: {
              ...event.sample,
              rssBytes: null,
              threads: event.sample.threads.map((thread) => ({
                ...thread,
                heapBytes: null,
                externalBytes: null,
                heapAtMono: null,
              })),
            },
          }
        : event,
    ),
  },
  {
    defect: 'incidents are not closed',
    breaks: ['incident_left_open', 'incident_not_coherent'],
    decide: orders((commands) => commands.filter(without('incident:close'))),
  },
  {
    defect: 'open incidents are forgotten',
    breaks: ['incident_not_coherent', 'incident_left_open'],
    decide: (state, event, now) => coreDecide(event.t === 'machine' ? { ...state, incidents: {} } : state, event, now),
  },
  {
    defect: 'a cell that ends while the system stops is started again',
    breaks: ['order_after_stop'],
    decide: orders((commands, state, event) =>
      event.t === 'cell-exit' && state.phase === 'stopping'
        ? [...commands, { do: 'spawn-cell', cell: event.cell, incarnation: event.incarnation + 1 }]
        : commands,
    ),
  },
  {
    defect: 'a stop waits for whoever does not end',
    breaks: ['stop_not_finished'],
    decide: (state, event, now) => coreDecide({ ...state, stopDeadlineMono: Infinity }, event, now),
  },
  {
    defect: 'a stop is called finished when it begins',
    breaks: ['left_behind'],
    decide: orders((commands, _, event) => (event.t === 'stop' ? [...commands, { do: 'finish' }] : commands)),
  },
  {
    defect: 'a tick throws when two kernels are in back-off',
    breaks: ['core_threw'],
    decide: (state, event, now) => {
      const waiting = Object.values(state.kernels).filter((kernel) => kernel.state === 'backoff');
      if (waiting.length >= 2) throw new Error('two at once were not thought of');
      return coreDecide(state, event, now);
    },
  },
  {
    defect: 'the state that was given is changed',
    breaks: ['input_changed'],
    decide: (state, event, now) => {
      for (const kernel of Object.values(state.kernels)) if (kernel.state === 'backoff') kernel.restarts++;
      return coreDecide(state, event, now);
    },
  },
  {
    defect: 'decisions depend on something outside',
    breaks: ['not_deterministic'],
    decide: (state, event, now) => coreDecide({ ...state, random: (Math.random() * 2 ** 31) | 0 }, event, now),
  },
];
