import { join } from 'node:path';
import { defineKernel, is, type KernelContext, readInput } from '@grace/kernel-sdk';
import { openLedger } from '@grace/ledger';
import { readEntry } from './entry.ts';
import { Integrity } from './integrity.ts';
import { createProbe } from './probe.ts';
import { Recorder } from './recorder.ts';
import { SearchIndex } from './search-index.ts';
import { createVerbs } from './verbs.ts';

const AUDIT_SUBJECTS = 'audit.>';
/** The index is taken further this long after an append, so that a burst is one transaction. */
const INDEX_AFTER_MS = 50;
const SUBSCRIBE_EVERY_MS = 2000;

export default defineKernel({
  id: 'immutable_log',
  async start(ctx) {
    const { segmentBytes, groupCommitMs, verifyEveryMs = 3_600_000, probeAppendEveryMs = 60_000 } = readConfig(ctx);
    const dir = join(ctx.stateDir, 'ledger');
    const ledger = await openLedger({
      dir,
      ...(segmentBytes === undefined ? {} : { segmentBytes }),
      ...(groupCommitMs === undefined ? {} : { groupCommitMs }),
    });
    if (ledger.recovered) ctx.log.warn('a torn tail was cut off and recorded', { ...ledger.recovered });
    try {
      const index = await SearchIndex.open(ctx.store, ledger);
      if (index.rebuilt) ctx.log.warn('the search index is made again from the ledger', { why: index.rebuilt });
      const indexing = indexAfterAppends(ctx, index, () => recorder.forgetIndexedKeys());
      const recorder = new Recorder(ledger, index, indexing.due);
      const integrity = new Integrity(ctx, dir, ledger);
      await subscribe(ctx, recorder);
      indexing.due();
      ctx.every(verifyEveryMs, async () => void (await integrity.verify()));
      ctx.log.info('ledger open', { last: ledger.last.seq });
      return {
        verbs: createVerbs(ctx, ledger, recorder, index, integrity),
        probe: createProbe(ctx, ledger, recorder, integrity, probeAppendEveryMs),
        async drain() {
          indexing.end();
          await Promise.all([index.close(), integrity.ended(), ledger.close()]);
        },
      };
    } catch (error) {
      await ledger.close();
      throw error;
    }
  },
});

function readConfig(ctx: KernelContext) {
  return readInput(ctx.config, {
    segmentBytes: is.optional(is.number({ min: 4096, integer: true })),
    groupCommitMs: is.optional(is.number({ min: 0, max: 1000 })),
    /** How often the whole record is verified. */
    verifyEveryMs: is.optional(is.number({ min: 1000 })),
    /** How often the probe appends; in between it reads its last record again. */
    probeAppendEveryMs: is.optional(is.number({ min: 0 })),
  });
}

/** What anybody says on `audit.>` is kept; the message counts as handled when it is durable, as rejected when it is no entry. */
async function subscribe(ctx: KernelContext, recorder: Recorder): Promise<void> {
  const attempt = () =>
    ctx.bus.subscribe(AUDIT_SUBJECTS, async (message) => {
      const entry = readEntry(message.payload);
      // A message that is delivered again is the same message.
      const idempotencyKey = `message ${message.id} of ${message.from}`;
      const receipt = await recorder.append({ idempotencyKey, ...entry }, message.from);
      if (message.kind === 'request') message.reply(receipt);
    });
  let isSubscribed = false;
  const tryOnce = async () => {
    if (isSubscribed) return;
    await attempt();
    isSubscribed = true;
  };
  // The verbs serve without a broker; a bus that comes later is heard from then on.
  await tryOnce().catch((error) => ctx.log.warn('audit subjects are not heard yet', { error: String(error) }));
  if (!isSubscribed) ctx.every(SUBSCRIBE_EVERY_MS, tryOnce);
}

function indexAfterAppends(ctx: KernelContext, index: SearchIndex, onCaughtUp: () => void) {
  let timer: NodeJS.Timeout | null = null;
  const catchUp = () => {
    timer = null;
    index.catchUp().then(onCaughtUp, (error) => ctx.log.error('the search index is behind', { error: String(error) }));
  };
  return {
    due: () => {
      timer ??= setTimeout(catchUp, INDEX_AFTER_MS);
    },
    end: () => {
      if (timer) clearTimeout(timer);
    },
  };
}
