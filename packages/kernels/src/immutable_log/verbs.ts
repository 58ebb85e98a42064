import type { VerbMeta } from '@grace/contracts';
import { is, type KernelContext, readInput, type Verb } from '@grace/kernel-sdk';
import type { Ledger } from '@grace/ledger';
import { type AuditRecord, decodeRecord, readEntry } from './entry.ts';
import type { Integrity } from './integrity.ts';
import { createProofVerbs } from './proof-verbs.ts';
import type { Recorder } from './recorder.ts';
import { repairRecord } from './repair.ts';
import type { SearchIndex } from './search-index.ts';
import type { Transparency } from './transparency.ts';

/** An answer must fit into one message of the bus. */
const ANSWER_BYTES_MAX = 600_000;
/** How long a search waits for the index to take in what was appended just before. */
const INDEX_DEADLINE_MS = 1000;

const word = is.optional(is.string({ max: 2000 }));
const instant = is.optional(is.number({ min: 0 }));
const seq = is.optional(is.number({ min: 1, integer: true }));

export function createVerbs(
  ctx: KernelContext,
  ledger: Ledger,
  recorder: Recorder,
  index: SearchIndex,
  integrity: Integrity,
  transparency: Transparency,
): Record<string, Verb> {
  return {
    append: (input: unknown, meta: VerbMeta) => recorder.append(readEntry(input), meta.from),

    /** Records in order from `from`, or the newest `limit`. `next` is where to go on; null at the end. */
    async read(input: unknown) {
      const { from, limit = 100 } = readInput(input, {
        from: seq,
        limit: is.optional(is.number({ min: 1, max: 1000, integer: true })),
      });
      const first = from ?? Math.max(1, ledger.last.seq - limit + 1);
      const entries = await takeWhileSmall(ledger.read(first, limit));
      const end = entries.at(-1)?.seq ?? first - 1;
      return { entries, next: end < ledger.last.seq ? end + 1 : null, last: ledger.last.seq };
    },

    /** The newest first. `more`: there are older ones, before the last seq of this answer. */
    async search(input: unknown) {
      const { limit = 50, ...terms } = readInput(input, {
        ...{ actor: word, action: word, resource: word, subsystem: word, text: word },
        ...{ fromMs: instant, toMs: instant, beforeSeq: seq },
        limit: is.optional(is.number({ min: 1, max: 200, integer: true })),
      });
      await catchUpWithin(index, INDEX_DEADLINE_MS);
      const found = index.search({ ...terms, limit: limit + 1 });
      const entries = await takeWhileSmall(readEach(ledger, found.slice(0, limit)));
      return { entries, more: entries.length < found.length, indexedTo: index.seq, last: ledger.last.seq };
    },

    ...createProofVerbs(ledger, transparency),

    verify(input: unknown) {
      readInput(input, {});
      return integrity.verify();
    },

    /** Appends wait while it runs, and are not refused. */
    repair(input: unknown, meta: VerbMeta) {
      const { dryRun = false, reason = 'asked for' } = readInput(input, {
        dryRun: is.optional(is.boolean()),
        reason: word,
      });
      return repairRecord(ctx, { ledger, index, integrity, transparency }, { by: meta.from, reason, dryRun });
    },

    status(input: unknown) {
      readInput(input, {});
      return {
        kernel: ctx.id,
        incarnation: ctx.incarnation,
        last: ledger.last,
        appended: recorder.appended,
        failing: recorder.isFailing,
        recovered: ledger.recovered,
        index: { seq: index.seq, behind: ledger.last.seq - index.seq, rebuilt: index.rebuilt },
        verified: integrity.latest,
        damage: integrity.problems.slice(0, 10),
        epoch: ledger.epoch.number,
        missing: ledger.missing.slice(0, 100),
        mirror: ledger.mirror,
        tree: transparency.status(),
      };
    },
  };
}

async function* readEach(ledger: Ledger, seqs: readonly number[]) {
  for (const one of seqs) yield* ledger.read(one, 1);
}

async function takeWhileSmall(records: AsyncIterable<Parameters<typeof decodeRecord>[0]>): Promise<AuditRecord[]> {
  const taken: AuditRecord[] = [];
  let bytes = 0;
  for await (const record of records) {
    bytes += record.payload.length + 200;
    if (taken.length > 0 && bytes > ANSWER_BYTES_MAX) break;
    taken.push(decodeRecord(record));
  }
  return taken;
}

async function catchUpWithin(index: SearchIndex, deadlineMs: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, deadlineMs);
  try {
    await Promise.race([index.catchUp(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
