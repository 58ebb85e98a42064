import {
  type CellLimits,
  type CellMethods,
  didYouMean,
  type FromThread,
  GraceError,
  type SupervisorNotices,
  type SystemPlan,
  type ThreadInventory,
  toWireError,
} from '@grace/contracts';
import { abandonGroups } from '../machine/control-groups/abandon.ts';
import { BROKER, createBusWiring } from './bus-wiring.ts';
import { createDutyCycle } from './debugger/duty-cycle.ts';
import { createProfiles } from './debugger/profiles.ts';
import { createThreadDebugger } from './debugger/thread-debugger.ts';
import { watchWorkers } from './debugger/worker-session.ts';
import { createFaultHost } from './fault-host.ts';
import { createCpuLimits } from './limits/cpu-limits.ts';
import type { LogWriter } from './log-writer.ts';
import { createSampler } from './sampler.ts';
import { createThread, type ThreadHandle, within } from './thread-handle.ts';

export interface AgentParts {
  plan: SystemPlan;
  cell: string;
  logs: LogWriter;
  notice(name: string, data: unknown): void;
  /** A kernel's request to the supervisor. */
  ask(method: string, params: unknown, deadlineMs: number): Promise<unknown>;
  exit(): void;
}

export interface Agent {
  request(method: string, params: unknown): Promise<unknown>;
  take(name: string, data: unknown): void;
  /** The threads that live here at this moment. */
  inventory(): ThreadInventory[];
  /** What the supervisor found out about limits here, at every hello. */
  takeLimits(limits: CellLimits): Promise<void>;
  /** Drains every kernel and ends the cell: nobody supervises it any more. */
  retire(): Promise<void>;
}

type Handlers = {
  [M in keyof CellMethods]: (
    params: CellMethods[M]['params'],
  ) => Promise<CellMethods[M]['result']> | CellMethods[M]['result'];
};

/** The main thread of a cell: makes threads, watches them, passes on what they say, ends them. No kernel code runs here. */
export function createAgent(parts: AgentParts): Agent {
  const { plan, cell, notice } = parts;
  const threads = new Map<string, ThreadHandle>();
  const all = (): Iterable<ThreadHandle> => threads.values();
  const wiring = createBusWiring(plan, cell, all);
  const faults = createFaultHost(
    (kernel) => threads.get(kernel),
    (lease, why) => notice('fault.undone', { lease: lease.id, kernel: lease.target, why }),
  );
  const sampler = createSampler(plan, cell, all, (sample) => notice('sample', sample));

  watchWorkers();
  const threadDebugger = createThreadDebugger();
  const profiles = createProfiles(plan.home);
  let limits: CellLimits | null = null;
  const cpuLimits = createCpuLimits({
    limits: () => limits,
    dutyCycle: createDutyCycle(threadDebugger),
    onRefused: ({ kernel }, error) => parts.logs.write(kernel, 40, Date.now(), `CPU limit: ${error.message}`, {}),
  });

  const present = (kernel: string, incarnation: number): ThreadHandle => {
    const thread = threads.get(kernel);
    if (!thread || thread.incarnation !== incarnation)
      throw new GraceError('KERNEL_GONE', `${kernel} does not run here in incarnation ${incarnation}`);
    return thread;
  };

  const listen = (
    thread: () => ThreadHandle,
    message: Extract<FromThread, { t: 'command' | 'report' | 'log' }>,
  ): void => {
    const { kernel, incarnation } = thread();
    switch (message.t) {
      case 'log':
        parts.logs.write(kernel, message.level, message.wallMs, message.message, message.fields);
        return;
      case 'report':
        notice('kernel.report', { kernel, incarnation, event: message.event });
        return;
      case 'command':
        parts.ask('kernel.command', { kernel, command: message.command, input: message.input }, 30_000).then(
          (value) => thread().send({ t: 'command-result', id: message.id, value }),
          (error) => thread().send({ t: 'command-error', id: message.id, error: toWireError(error) }),
        );
        return;
      default:
        message satisfies never;
    }
  };

  const loaded = async (thread: ThreadHandle): Promise<CellMethods['kernel.spawn']['result']> => {
    const tid = await thread.loaded;
    const { cpu } = thread.order.manifest.limits;
    return cpu === null ? { tid } : { tid, limit: await cpuLimits.limit(thread, cpu) };
  };

  const handlers: Handlers = {
    async 'kernel.spawn'(order) {
      const { id } = order.manifest;
      const present = threads.get(id);
      // A supervisor that came back asks again for what the one before it may have asked already.
      if (present?.incarnation === order.incarnation) return await loaded(present);
      if (present) throw new GraceError('CONFLICT', `${id} has a thread here already`);
      const thread: ThreadHandle = createThread(
        plan,
        order,
        wiring.birthWire(order),
        id === BROKER ? wiring.brokerBirth(order.acl) : null,
        {
          onMessage: (message) => listen(() => thread, message),
          onExit: (code, error, expected) => {
            if (threads.get(id) === thread) threads.delete(id);
            if (error && !expected)
              parts.logs.write(id, 50, Date.now(), error.message, { code: error.code, stack: error.stack });
            if (!expected)
              notice('kernel.exit', { kernel: id, incarnation: order.incarnation, code, ...(error ? { error } : {}) });
          },
        },
      );
      threads.set(id, thread);
      wiring.joined(thread);
      return await loaded(thread);
    },
    'kernel.limit': async ({ kernel, incarnation, cpu }) => {
      const thread = present(kernel, incarnation);
      return await cpuLimits.limit(thread, cpu ?? thread.order.manifest.limits.cpu);
    },
    'kernel.start': async ({ kernel, incarnation }) => ({ verbs: await present(kernel, incarnation).start() }),
    'kernel.probe': async ({ kernel, incarnation, deadlineMs }) =>
      (await present(kernel, incarnation).verbs.probe(deadlineMs)) as Record<string, unknown>,
    'kernel.call': async ({ kernel, verb, input, from, deadlineMs }) => {
      const thread = threads.get(kernel);
      if (!thread) throw new GraceError('KERNEL_GONE', `${kernel} does not run in cell ${cell}`);
      return await thread.verbs.invoke(verb, input, { from, deadlineMs });
    },
    async 'kernel.drain'({ kernel, incarnation, deadlineMs }) {
      try {
        await within(present(kernel, incarnation).drain(), deadlineMs, `${kernel} did not drain`);
        return { drained: true };
      } catch {
        return { drained: false };
      }
    },
    async 'kernel.terminate'({ kernel, incarnation, deadlineMs }) {
      const thread = threads.get(kernel);
      if (!thread || thread.incarnation !== incarnation) return { code: 0 };
      await threadDebugger.free(thread);
      const code = await thread.terminate(deadlineMs);
      threads.delete(kernel);
      return { code };
    },
    'kernel.pressure'({ kernel, incarnation, pressure }) {
      present(kernel, incarnation).send({ t: 'pressure', pressure });
      return {};
    },
    'kernel.stack': ({ kernel, incarnation, deadlineMs }) =>
      threadDebugger.stackOf(present(kernel, incarnation), deadlineMs),
    'kernel.profile': ({ kernel, incarnation, ...order }) => profiles.record(present(kernel, incarnation), order),
    'fault.apply': ({ lease }) => faults.apply(lease),
    'fault.renew': ({ id }) => faults.renew(id),
    'fault.undo': ({ id }) => faults.undo(id),
    'fault.list': () => faults.list(),
    sample: () => sampler.sample(),
    exit() {
      sampler.stop();
      faults.stop();
      threadDebugger.stop();
      setImmediate(parts.exit);
      return {};
    },
  };

  return {
    async request(method, params) {
      if (!Object.hasOwn(handlers, method))
        throw new GraceError(
          'UNKNOWN_METHOD',
          `a cell has no method "${method}"${didYouMean(method, Object.keys(handlers))}`,
        );
      return await (handlers[method as keyof Handlers] as (params: unknown) => unknown)(params);
    },
    take(name, data) {
      if (name === 'feed') {
        const { kernel, records, missed } = data as SupervisorNotices['feed'];
        threads.get(kernel)?.send({ t: 'feed', records, missed });
      } else if (name === 'need') {
        const { kernel, need, up } = data as SupervisorNotices['need'];
        threads.get(kernel)?.send({ t: 'need', need, up });
      } else if (name === 'broker.cell') wiring.moved((data as SupervisorNotices['broker.cell']).cell);
    },
    async takeLimits(found) {
      const isSame = limits?.method === found.method && limits.group === found.group;
      limits = found;
      if (!isSame) await cpuLimits.moved();
    },
    inventory: () =>
      Array.from(all(), ({ kernel, incarnation, tid, stage, verbNames }) => ({
        kernel,
        incarnation,
        tid,
        stage,
        verbs: verbNames,
      })),
    async retire() {
      sampler.stop();
      faults.stop();
      await Promise.allSettled(
        Array.from(all(), (thread) => within(thread.drain(), thread.order.manifest.drainDeadlineMs, 'drain')),
      );
      await cpuLimits.stop();
      await abandonGroups(limits?.group ?? null);
      parts.exit();
    },
  };
}
