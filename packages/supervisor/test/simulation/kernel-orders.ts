import type { WireError } from '@grace/contracts';
import type { Command, CoreEvent } from '../../src/core/events.ts';
import type { SimCell } from './cell.ts';
import type { Environment } from './environment.ts';
import { ask } from './request.ts';
import type { SimThread } from './thread.ts';

type KernelOrder = { kernel: string; incarnation: number };

/** What an answer has beyond the deadline that the cell keeps itself, ms. As in src/process/executor.ts. */
const TRAVEL_MS = 1000;
const LOAD_DEADLINE_MS = 15_000;
const GONE: WireError = { code: 'KERNEL_GONE', message: 'it does not run here in this incarnation' };
const LATE: WireError = { code: 'DEADLINE', message: 'no answer in time' };

function present(cell: SimCell, order: KernelOrder): SimThread | null {
  const thread = cell.threads.get(order.kernel);
  return thread && thread.incarnation === order.incarnation ? thread : null;
}

export function load(env: Environment, order: Extract<Command, { do: 'load' }>): void {
  const { kernel, incarnation } = order;
  const failed = (error: WireError): CoreEvent => ({ t: 'start-failed', kernel, incarnation, error });
  ask(env, order.cell, LOAD_DEADLINE_MS, {
    act(cell, answered) {
      const there = cell.threads.get(kernel);
      if (there && there.incarnation !== incarnation) {
        answered(failed({ code: 'CONFLICT', message: `${kernel} has a thread here already` }));
        return;
      }
      if (there) {
        // A supervisor that came back asks for what the one before it asked already.
        there.whenLoaded((event) => answered(event));
        return;
      }
      const thread = env.bear(cell, kernel, incarnation);
      thread.whenLoaded(answered);
      const doom = env.dooms.get(kernel);
      if (doom && doom.starts > 0) {
        doom.starts--;
        thread.trait = doom.trait;
      }
      env.later(env.duration(thread.random, thread.random.between(5, 40)), () => {
        if (!thread.alive || thread.frozen) {
          // A process that stands still loads nothing; it goes on where it was.
          if (thread.alive) thread.whenFree(() => loaded());
          return;
        }
        loaded();
      });
      const loaded = (): void => {
        if (!thread.alive) return;
        if (thread.trait === 'load_fails')
          thread.setLoaded(failed({ code: doom!.code as 'INTERNAL', message: 'its module cannot be loaded' }));
        else if (thread.trait === 'load_crashes') {
          env.endThread(cell, thread, 1, { code: 'INTERNAL', message: 'thrown at load' });
          thread.setLoaded(failed(GONE));
        } else {
          thread.stage = 'loaded';
          thread.setLoaded({ t: 'loaded', kernel, incarnation, tid: 100 + incarnation });
        }
      };
    },
    late: () => failed(LATE),
  });
}

export function start(env: Environment, order: Extract<Command, { do: 'start' }>): void {
  const { kernel, incarnation } = order;
  const failed = (error: WireError): CoreEvent => ({ t: 'start-failed', kernel, incarnation, error });
  ask(env, order.cell, order.deadlineMs + TRAVEL_MS, {
    act(cell, answered) {
      const thread = present(cell, order);
      if (!thread) {
        answered(failed(GONE));
        return;
      }
      thread.whenStarted(answered);
      // Asked twice, it starts once.
      if (thread.stage !== 'loaded') return;
      thread.stage = 'starting';
      if (thread.trait === 'start_hangs') return;
      env.later(env.duration(thread.random, thread.random.between(1, 30)), () =>
        thread.whenFree(() => {
          if (!thread.alive) return;
          if (thread.trait === 'start_throws') {
            thread.setStarted(
              failed({ code: (env.dooms.get(kernel)?.code ?? 'INTERNAL') as 'INTERNAL', message: 'start threw' }),
            );
            return;
          }
          thread.stage = 'started';
          thread.setStarted({ t: 'started', kernel, incarnation, verbs: ['status'] });
          if (thread.trait === 'dies')
            env.later(env.dooms.get(kernel)?.afterMs ?? 0, () =>
              env.endThread(cell, thread, 1, { code: 'INTERNAL', message: 'it dies' }),
            );
        }),
      );
    },
    // A start that takes too long is the core's own deadline.
    late: () => null,
  });
}

export function probe(env: Environment, order: Extract<Command, { do: 'probe' }>): void {
  const { kernel, incarnation } = order;
  const asked = env.now;
  const probed = (ok: boolean, error: WireError | null): CoreEvent => ({
    t: 'probed',
    kernel,
    incarnation,
    ok,
    ms: env.now - asked,
    detail: {},
    error,
  });
  ask(env, order.cell, order.deadlineMs + TRAVEL_MS, {
    act(cell, answered) {
      const thread = present(cell, order);
      if (!thread) {
        answered(probed(false, GONE));
        return;
      }
      let open = true;
      const answer = (ok: boolean, error: WireError | null): void => {
        if (!open || !thread.alive) return;
        open = false;
        answered(probed(ok, error));
      };
      thread.advance(env.now);
      thread.probe(
        (ms, act) => env.later(ms, () => thread.alive && act()),
        () => env.needsServe(kernel),
        (ok) => {
          const passes = ok && thread.trait !== 'probe_fails';
          answer(passes, passes ? null : { code: 'INTERNAL', message: 'it does not do its job' });
        },
      );
      env.later(order.deadlineMs, () => cell.receive(() => answer(false, LATE)));
    },
    late: () => probed(false, LATE),
  });
}

export function drain(env: Environment, order: Extract<Command, { do: 'drain' }>): void {
  const { kernel, incarnation } = order;
  const drained: CoreEvent = { t: 'drained', kernel, incarnation };
  ask(env, order.cell, order.deadlineMs + TRAVEL_MS, {
    act(cell, answered) {
      const thread = present(cell, order);
      if (!thread) {
        answered(drained);
        return;
      }
      if (!thread.ignoresDrain && thread.trouble !== 'deadlock')
        env.later(env.duration(thread.random, thread.random.between(1, 60)), () =>
          thread.whenFree(() => answered(drained)),
        );
      env.later(order.deadlineMs, () => cell.receive(() => answered(drained)));
    },
    late: () => drained,
  });
}

export function terminate(env: Environment, order: Extract<Command, { do: 'terminate' }>): void {
  const { kernel, incarnation } = order;
  const exited = (code: number): CoreEvent => ({ t: 'exited', kernel, incarnation, code, error: null });
  const stuck: CoreEvent = { t: 'stuck', kernel, incarnation };
  ask(env, order.cell, order.deadlineMs + TRAVEL_MS, {
    act(cell, answered) {
      const thread = present(cell, order);
      if (!thread) {
        answered(exited(0));
        return;
      }
      const end = (): void => {
        if (thread.trouble === 'native') {
          thread.whenFree(end);
          return;
        }
        env.dropThread(cell, thread);
        answered(exited(1));
      };
      env.later(thread.random.between(1, 10) + env.machine.waitMs * thread.random.next() * 0.4, () =>
        cell.receive(end),
      );
      env.later(order.deadlineMs, () => cell.receive(() => thread.alive && answered(stuck)));
    },
    late: () => stuck,
  });
}

export function limit(env: Environment, order: Extract<Command, { do: 'limit' }>): void {
  const { kernel, incarnation } = order;
  ask(env, order.cell, 2000, {
    act(cell, answered) {
      const thread = present(cell, order);
      if (!thread) return;
      thread.advance(env.now);
      const own = thread.manifest.limits.cpu;
      thread.cap = order.cpu === null ? own : own === null ? order.cpu : Math.min(own, order.cpu);
      cell.alert();
      answered({ t: 'limited', kernel, incarnation, cpu: thread.cap, method: 'inspector' });
    },
    late: () => null,
  });
}

export function press(env: Environment, order: Extract<Command, { do: 'press' }>): void {
  ask(env, order.cell, 2000, {
    act(cell) {
      const thread = present(cell, order);
      thread?.whenFree(() => {
        if (!thread.sheds || !thread.alive) return;
        thread.advance(env.now);
        thread.letGoAt = env.now;
        if (order.pressure.of !== 'external') thread.heapBytes *= 0.5;
        if (order.pressure.of !== 'heap') thread.externalBytes *= 0.5;
      });
    },
    late: () => null,
  });
}
