import type { ThreadInventory } from '@grace/contracts';
import type { Draft } from './draft.ts';
import type { CoreEvent } from './events.ts';
import { orderDrain, orderTerminate, terminateDeadlineMs } from './orders.ts';
import { heard } from './silence.ts';
import type { KernelRecord } from './state.ts';

/**
 * A cell that lived without a supervisor, or only without a connection, has dialled: what is on record is brought together with the
 * threads that are there. What serves goes on serving; questions whose answers were lost are asked again, for each of them may be asked
 * twice. Returns what is thereby known to have happened.
 */
export function adoptCell(draft: Draft, event: Extract<CoreEvent, { t: 'cell-adopted' }>): CoreEvent[] {
  const { cell: id, pid, threads } = event;
  const cell = draft.cell(id);
  cell.pid = pid;
  if (cell.state === 'stopping') {
    draft.order({ do: 'end-cell', cell: id, incarnation: cell.incarnation });
    return [];
  }
  cell.state = 'online';
  heard(draft, id);
  const known = new Set<ThreadInventory>();
  const happened: CoreEvent[] = [];
  for (const [kernel, record] of draft.kernelsOf(id)) {
    const thread = threads.find((one) => one.kernel === kernel && one.incarnation === record.incarnation);
    if (thread) known.add(thread);
    happened.push(...(thread ? present(draft, kernel, record, thread) : missing(draft, kernel, record)));
  }
  for (const { kernel, incarnation } of threads.filter((thread) => !known.has(thread)))
    draft.order({ do: 'terminate', kernel, cell: id, incarnation, deadlineMs: terminateDeadlineMs(draft, id) });
  return happened;
}

function present(draft: Draft, id: string, kernel: KernelRecord, thread: ThreadInventory): CoreEvent[] {
  const { incarnation } = kernel;
  const loaded: CoreEvent = { t: 'loaded', kernel: id, incarnation, tid: thread.tid };
  kernel.probe = { ...kernel.probe, inFlight: false, unansweredMono: null, suspicion: false, failures: 0 };
  kernel.tid = thread.tid;
  switch (kernel.state) {
    case 'waiting':
      if (!kernel.wanted) break;
      if (thread.stage !== 'loading') return [loaded];
      load(draft, id, kernel);
      return [];
    case 'starting':
      kernel.thread = 'loaded';
      kernel.dueMono = draft.now + kernel.manifest.startDeadlineMs;
      if (thread.stage === 'started') return [{ t: 'started', kernel: id, incarnation, verbs: thread.verbs }];
      draft.order({
        do: 'start',
        kernel: id,
        cell: kernel.cell,
        incarnation,
        deadlineMs: kernel.manifest.startDeadlineMs,
      });
      return [];
    case 'probing':
      kernel.verbs = thread.verbs;
      kernel.thread = 'loaded';
      kernel.dueMono = draft.now + kernel.manifest.startDeadlineMs;
      kernel.probe.dueMono = draft.now;
      return [];
    case 'running':
      kernel.verbs = thread.verbs;
      kernel.thread = 'loaded';
      kernel.cap ??= kernel.manifest.limits.cpu;
      kernel.probe.dueMono = draft.now;
      return [];
    case 'draining':
      orderDrain(draft, id, kernel.manifest.drainDeadlineMs);
      return [];
    case 'stopping':
      orderTerminate(draft, id);
      return [];
    default:
      // Down on record, and nobody wants it up.
      break;
  }
  orderTerminate(draft, id);
  return [];
}

function missing(draft: Draft, id: string, kernel: KernelRecord): CoreEvent[] {
  const { incarnation } = kernel;
  switch (kernel.state) {
    case 'waiting':
      kernel.thread = 'none';
      if (kernel.wanted) load(draft, id, kernel);
      return [];
    case 'starting':
    case 'probing':
    case 'running': {
      const message = `the thread of ${id} was gone when its cell was found again`;
      kernel.thread = 'loaded';
      return [{ t: 'exited', kernel: id, incarnation, code: 1, error: { code: 'KERNEL_GONE', message } }];
    }
    case 'draining':
    case 'stopping':
      return [{ t: 'exited', kernel: id, incarnation, code: 0, error: null }];
    default:
      return [];
  }
}

function load(draft: Draft, id: string, kernel: KernelRecord): void {
  kernel.thread = 'loading';
  kernel.orderedMono = draft.now;
  draft.order({ do: 'load', kernel: id, cell: kernel.cell, incarnation: kernel.incarnation });
}
