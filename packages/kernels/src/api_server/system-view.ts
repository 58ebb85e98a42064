import {
  type AnyRecord,
  type BusStatistics,
  didYouMean,
  GraceError,
  type Incident,
  type KernelStatus,
  type StatusDocument,
} from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Caller } from './access/token-book.ts';
import type { Settings } from './settings.ts';

export interface JournalPage {
  records: AnyRecord[];
  /** `after` of the next page. */
  last: number;
  /** The newest record there is. */
  end: number;
}

/** What the supervisor and message_bus tell. Answers are shared for a moment, so that many who ask cost no more than one. */
export interface SystemView {
  status(): Promise<StatusDocument>;
  /** @throws GraceError `UNKNOWN_KERNEL` with the nearest */
  kernel(id: string): Promise<KernelStatus>;
  verbs(kernel: string): Promise<string[]>;
  incidents(): Promise<Incident[]>;
  /** @throws GraceError `UNKNOWN_INCIDENT` */
  incident(id: string): Promise<Incident>;
  /** @throws GraceError `API_FULL` when too many wait: old records are read one page after the other */
  journal(after: number, limit: number): Promise<JournalPage>;
  bus(): Promise<BusStatistics>;
  /** As `api_server:<principal of the caller>`. @throws GraceError `API_FULL`, or what the kernel answers */
  call(caller: Caller, order: { kernel: string; verb: string; input: unknown; deadlineMs: number }): Promise<unknown>;
  readonly calling: number;
}

const SHARED_MS = 200;
const DEADLINE_MS = 5000;
/** Over the deadline of a call: so long the supervisor's own refusal may take to come back. */
const REFUSAL_MS = 500;
const READS_WAITING_MAX = 32;

export function createSystemView(ctx: KernelContext, settings: Settings): SystemView {
  const ask = <T>(command: 'status' | 'incident' | 'verbs', input: object = {}): Promise<T> =>
    ctx.supervisor.command(command, input, DEADLINE_MS) as Promise<T>;
  const status = shared(ctx.clock.monoMs, () => ask<StatusDocument>('status'));
  const incidents = shared(ctx.clock.monoMs, () => ask<Incident[]>('incident'));
  const bus = shared(
    ctx.clock.monoMs,
    async () => (await ctx.call('message_bus', 'stats', {}, { deadlineMs: 2000 })) as BusStatistics,
  );
  let reading: Promise<unknown> = Promise.resolve();
  let readsWaiting = 0;
  let calling = 0;

  return {
    status,
    incidents,
    bus,
    async kernel(id) {
      const { kernels } = await status();
      const found = kernels.find((kernel) => kernel.id === id);
      if (found) return found;
      const near = didYouMean(
        id,
        kernels.map((kernel) => kernel.id),
      );
      throw new GraceError('UNKNOWN_KERNEL', `there is no kernel "${id}"${near}`);
    },
    verbs: (kernel) => ask('verbs', { kernel }),
    async incident(id) {
      const [found] = await ask<Incident[]>('incident', { id });
      if (!found) throw new GraceError('UNKNOWN_INCIDENT', `there is no incident "${id}"`);
      return found;
    },
    async journal(after, limit) {
      if (readsWaiting >= READS_WAITING_MAX)
        throw new GraceError('API_FULL', `${READS_WAITING_MAX} readers of the journal wait already`);
      readsWaiting++;
      const page = reading.then(() => ctx.supervisor.command('journal', { after, limit }, DEADLINE_MS));
      reading = page.catch(() => {});
      try {
        return (await page) as JournalPage;
      } finally {
        readsWaiting--;
      }
    },
    get calling() {
      return calling;
    },
    async call({ principal }, { kernel, verb, input, deadlineMs }) {
      if (calling >= settings.limits.calls)
        throw new GraceError('API_FULL', `${calling} calls are under way, which is as many as may be`);
      calling++;
      try {
        const order = { kernel, verb, input, as: principal, deadlineMs };
        return await ctx.supervisor.command('call', order, deadlineMs + REFUSAL_MS);
      } finally {
        calling--;
      }
    },
  };
}

/** One question for all who ask while it is under way, and for `SHARED_MS` after its answer. A failure is not kept. */
function shared<T>(nowMs: () => number, work: () => Promise<T>): () => Promise<T> {
  let kept: { value: T; atMs: number } | undefined;
  let asking: Promise<T> | undefined;
  return async () => {
    if (kept && nowMs() - kept.atMs < SHARED_MS) return kept.value;
    asking ??= work()
      .then((value) => {
        kept = { value, atMs: nowMs() };
        return value;
      })
      .finally(() => {
        asking = undefined;
      });
    return await asking;
  };
}
