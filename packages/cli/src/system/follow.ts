import type { AnyRecord } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import { connect } from './connect.ts';

/**
 * Gives every journal record after `after` to `handle`, in order. What the supervisor had to skip because this side was too slow is read again.
 * @returns the sequence number of the last record there was
 */
export async function followJournal(
  client: ControlClient,
  after: number,
  handle: (record: AnyRecord) => void,
): Promise<number> {
  let seen = after;
  const take = (records: readonly AnyRecord[]): void => {
    for (const record of records) {
      if (record.seq <= seen) continue;
      seen = record.seq;
      handle(record);
    }
  };
  let turn = Promise.resolve();
  client.onNotice('journal', ({ records, missed }) => {
    turn = turn.then(async () => {
      if (missed > 0) await readUpTo(client, seen, (records[0]?.seq ?? Number.MAX_SAFE_INTEGER) - 1, take);
      take(records);
    });
    // A connection that closes meanwhile is noticed by whoever owns it.
    turn = turn.catch(() => {});
  });
  return (await client.request('journal.follow', { after })).last;
}

/**
 * `followJournal` on beyond the loss of the supervisor: whoever brings the system back is followed from the last record seen. Ends with
 * the signal and, without a word, with the system.
 */
export async function followThroughout(
  home: string,
  client: ControlClient,
  after: number,
  handle: (record: AnyRecord) => void,
  signal: AbortSignal,
): Promise<void> {
  let seen = after;
  const follow = async (from: ControlClient): Promise<void> => {
    from.onClose(() => void goOn());
    signal.addEventListener('abort', () => from.close(), { once: true });
    await followJournal(from, seen, (record) => {
      seen = record.seq;
      handle(record);
    });
  };
  const goOn = async (): Promise<void> => {
    if (signal.aborted) return;
    try {
      await follow(await connect(home));
    } catch {
      // The system has ended; its owner waits for that.
    }
  };
  await follow(client);
}

async function readUpTo(
  client: ControlClient,
  after: number,
  last: number,
  take: (records: AnyRecord[]) => void,
): Promise<void> {
  for (let from = after; from < last; ) {
    const { records } = await client.request('journal.read', { after: from, limit: Math.min(1000, last - from) });
    if (records.length === 0) return;
    take(records);
    from = records.at(-1)!.seq;
  }
}
