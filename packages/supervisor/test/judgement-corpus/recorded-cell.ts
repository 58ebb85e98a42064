// A cell process under record: the product's own threads and sampler, without a supervisor. It ends with the process that started it.
import {
  type CellSample,
  completeManifest,
  SETTINGS_DEFAULTS,
  SLOT,
  type SystemPlan,
  systemClock,
} from '@grace/contracts';
import { createSampler } from '../../src/cell/sampler.ts';
import { createThread, type ThreadHandle } from '../../src/cell/thread-handle.ts';
import type { CorpusState } from './states.ts';

export type ToCell =
  | { t: 'begin'; home: string; thread: string; fifo: string; state: CorpusState }
  | { t: 'enter' }
  | { t: 'probe'; deadlineMs: number }
  | { t: 'cap'; cap: number };

export type FromCell =
  | { t: 'ready'; tid: number }
  | { t: 'entered' }
  | { t: 'probed'; ok: boolean }
  | { t: 'ended' }
  | { t: 'sample'; sample: CellSample };

const say = (message: FromCell): void => void process.send?.(message);
let thread: ThreadHandle | undefined;
let state: CorpusState | undefined;

async function begin(order: Extract<ToCell, { t: 'begin' }>): Promise<void> {
  state = order.state;
  const plan = {
    home: order.home,
    entries: { supervisor: '', cell: '', thread: order.thread },
    settings: SETTINGS_DEFAULTS,
  } as SystemPlan;
  const { heapBytes, externalBytes, messagesPerSecond } = order.state;
  const manifest = completeManifest(
    {
      id: 'subject',
      title: 'under record',
      cell: 'recorded',
      config: { fifo: order.fifo },
      limits: Object.fromEntries(
        Object.entries({ heapBytes, externalBytes, messagesPerSecond }).filter(([, value]) => value !== undefined),
      ),
    },
    { module: new URL('./state-kernel.ts', import.meta.url).pathname, builtin: true },
  );
  thread = createThread(plan, { manifest, incarnation: 1, busToken: '', armed: true, brokerCell: '' }, null, null, {
    onMessage: () => {},
    onExit: () => say({ t: 'ended' }),
  });
  await thread.loaded;
  await thread.start();
  createSampler(
    plan,
    'recorded',
    () => (thread ? [thread] : []),
    (sample) => say({ t: 'sample', sample }),
  );
  say({ t: 'ready', tid: thread.tid });
}

async function enter(): Promise<void> {
  if (!thread || !state) return;
  if (state.act === 'pause heartbeat') {
    Atomics.store(thread.slot, SLOT.faultUntilNs, BigInt(Math.round((systemClock.monoMs() + state.forMs) * 1e6)));
    thread.send({ t: 'fault', kind: 'heartbeat_pause', lease: 'record', params: {} });
  } else await thread.verbs.invoke('enter', { act: state.act }, { from: 'recorder', deadlineMs: 2000 });
  say({ t: 'entered' });
  if (state.agentBlockMs !== undefined)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, state.agentBlockMs);
}

process.on('message', (message: ToCell) => {
  switch (message.t) {
    case 'begin':
      void begin(message);
      return;
    case 'enter':
      void enter();
      return;
    case 'cap':
      if (thread) thread.cap = message.cap;
      return;
    case 'probe':
      thread?.verbs.probe(message.deadlineMs).then(
        () => say({ t: 'probed', ok: true }),
        () => say({ t: 'probed', ok: false }),
      );
      return;
    default:
      message satisfies never;
  }
});
// Threads in native code do not let a process exit by itself.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
