import type { AnyDraft, AnyRecord } from '@grace/contracts';
import type { ControlClient } from '@grace/control';

/** Drafts that may wait for the supervisor; a journal that takes no more than this ends the run. */
const MAX_WAITING = 10_000;
const PAGE = 2000;
const DEADLINE_MS = 10_000;

/** The runner's way into the journal: in order, in batches, with a bound. */
export interface Recorder {
  /** Resolves when the record is in the journal, with a sequence number not before its own. */
  append(draft: AnyDraft): Promise<number>;
  /** Every record after `seq`. */
  read(after: number): Promise<AnyRecord[]>;
}

export function createRecorder(control: ControlClient): Recorder {
  let waiting: AnyDraft[] = [];
  let inFlight: Promise<unknown> = Promise.resolve();
  let next: Promise<number> | null = null;

  const flush = async (): Promise<number> => {
    next = null;
    const records = waiting;
    waiting = [];
    return (await control.request('journal.append', { records }, DEADLINE_MS)).last;
  };
  return {
    append(draft) {
      if (waiting.length >= MAX_WAITING) return Promise.reject(new Error('the journal does not keep up with the run'));
      waiting.push(draft);
      if (!next) {
        next = inFlight.then(flush, flush);
        inFlight = next;
      }
      return next;
    },
    async read(after) {
      const all: AnyRecord[] = [];
      let from = after;
      for (;;) {
        const { records, last } = await control.request('journal.read', { after: from, limit: PAGE }, DEADLINE_MS);
        all.push(...records);
        const reached = records.at(-1)?.seq;
        if (reached === undefined || reached >= last) return all;
        from = reached;
      }
    },
  };
}
