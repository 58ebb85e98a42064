import type { AnyRecord } from '@grace/contracts';
import type { Channel } from '@grace/control';
import type { Journal } from '../journal/journal.ts';

const BATCH_MS = 20;
const BATCH = 500;

/** Sends a client the journal from a given record on. A client that does not keep up loses records and is told how many. */
export function followJournal(journal: Journal, channel: Channel, after: number): () => void {
  const waiting: AnyRecord[] = [];
  let missed = 0;
  let timer: NodeJS.Timeout | undefined;
  let caughtUp = false;
  const flush = (): void => {
    timer = undefined;
    if (waiting.length === 0) return;
    const records = waiting.splice(0, BATCH);
    if (channel.notice('journal', { records, missed })) missed = 0;
    else missed += records.length;
    if (waiting.length > 0) timer = setTimeout(flush, 1);
  };
  const unsubscribe = journal.subscribe((record) => {
    if (!caughtUp) return;
    if (waiting.length >= 10_000) {
      waiting.shift();
      missed++;
    }
    waiting.push(record);
    timer ??= setTimeout(flush, BATCH_MS);
  });
  void (async () => {
    let from = after;
    while (from < journal.last && !channel.closed) {
      const records = await journal.read(from, BATCH);
      if (records.length === 0) break;
      from = records.at(-1)!.seq;
      channel.notice('journal', { records, missed: 0 });
    }
    caughtUp = true;
  })();
  return () => {
    unsubscribe();
    clearTimeout(timer);
  };
}
