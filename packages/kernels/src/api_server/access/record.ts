import type { KernelContext } from '@grace/kernel-sdk';

/** Entries on their way to the bus; more are told in the log alone. */
const WAITING_MAX = 1000;

/** Puts what was done over HTTP on the record, as `audit.api_server`. */
export type Recorder = (entry: { actor: string; action: string; resource: string; outcome: string }) => void;

export function createRecorder(ctx: KernelContext): Recorder {
  let waiting = 0;
  return (entry) => {
    const failed = (why: string): void => ctx.log.warn('not on the record', { ...entry, why });
    if (waiting >= WAITING_MAX) return failed(`${WAITING_MAX} entries wait already`);
    waiting++;
    ctx.bus
      .publish('audit.api_server', { ...entry, subsystem: 'api_server' })
      .catch((error: Error) => failed(error.message))
      .finally(() => {
        waiting--;
      });
  };
}
