import { type FromThread, fromWireError, GraceError, type WireError } from '@grace/contracts';
import type { SupervisorAccess } from '../kernel.ts';

/** Commands that may be under way at once from one thread. */
const MAX_PENDING = 100;

/** What a kernel asks of the supervisor and reports to it, over the control lane. */
export function createSupervisorLane(send: (message: FromThread) => void): SupervisorAccess & {
  settle(id: number, outcome: { value: unknown } | { error: WireError }): void;
} {
  const pending = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void; timer: NodeJS.Timeout }
  >();
  let nextId = 1;
  return {
    command(command, input, deadlineMs = 5000) {
      if (pending.size >= MAX_PENDING)
        return Promise.reject(new GraceError('CONFLICT', `${MAX_PENDING} commands are under way already`));
      const id = nextId++;
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          pending.delete(id);
          reject(new GraceError('DEADLINE', `the supervisor did not answer "${command}" within ${deadlineMs} ms`));
        }, deadlineMs);
        pending.set(id, { resolve, reject, timer });
        try {
          send({ t: 'command', id, command, input });
        } catch (error) {
          pending.delete(id);
          clearTimeout(timer);
          reject(
            new GraceError(
              'BAD_INPUT',
              `the input of "${command}" cannot leave the thread: ${error instanceof Error ? error.message : String(error)}`,
            ),
          );
        }
      });
    },
    report: (event) => send({ t: 'report', event }),
    settle(id, outcome) {
      const waiting = pending.get(id);
      if (!waiting) return;
      pending.delete(id);
      clearTimeout(waiting.timer);
      if ('error' in outcome) waiting.reject(fromWireError(outcome.error));
      else waiting.resolve(outcome.value);
    },
  };
}
