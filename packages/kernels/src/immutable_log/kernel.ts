import { join } from 'node:path';
import { defineKernel, is, type KernelContext, readInput } from '@grace/kernel-sdk';
import { type Ledger, openLedger } from '@grace/ledger';
import { readEntry } from './entry.ts';
import { Integrity } from './integrity.ts';
import { createProbe } from './probe.ts';
import { Recorder } from './recorder.ts';
import { repairWithTree } from './repair.ts';
import { SearchIndex } from './search-index.ts';
import { readTransparency, TRANSPARENCY_SHAPE } from './settings.ts';
import { logDirOf, Transparency } from './transparency.ts';
import { createVerbs } from './verbs.ts';

const AUDIT_SUBJECTS = 'audit.>';
/** The index is taken further this long after an append, so that a burst is one transaction. */
const INDEX_AFTER_MS = 50;
const SUBSCRIBE_EVERY_MS = 2000;

export default defineKernel({
  id: 'immutable_log',
  async start(ctx) {
    const { segmentBytes, groupCommitMs, verifyEveryMs = 3_600_000, probeAppendEveryMs = 60_000 } = readConfig(ctx);
    const { lookEveryMs = 1000, repairGraceMs = 10_000, mirror = join(ctx.stateDir, 'mirror') } = readConfig(ctx);
    const dir = join(ctx.stateDir, 'ledger');
    const outerHead = join(ctx.stateDir, 'ledger.head');
    let transparency: Transparency | null = null;
    const ledger = await openLedger({
      dir,
      companions: [logDirOf(ctx.stateDir)],
      onDurable: (batch) => transparency?.take(batch),
      outerHead,
      onDamage: 'repair',
      ...(mirror === 'off' ? {} : { mirror }),
      ...(segmentBytes === undefined ? {} : { segmentBytes }),
      ...(groupCommitMs === undefined ? {} : { groupCommitMs }),
    });
    try {
      const settings = readTransparency(ctx);
      transparency = await Transparency.open(ctx, ledger, settings);
      const log = transparency;
      const index = await SearchIndex.open(ctx.store, ledger);
      if (index.rebuilt) ctx.log.warn('the search index is made again from the ledger', { why: index.rebuilt });
      const indexing = indexAfterAppends(ctx, index, () => recorder.forgetIndexedKeys());
      const recorder = new Recorder(ledger, index, indexing.due, () => log.assertSound());
      const integrity = new Integrity(ctx, { dir, outerHead }, ledger, log, repairGraceMs);
      tellOfStart(ctx, ledger, integrity);
      await answerBrokenTree(ledger, log, integrity);
      await subscribe(ctx, recorder);
      indexing.due();
      ctx.every(verifyEveryMs, async () => void (await integrity.verify()));
      ctx.every(settings.checkpointEveryMs, () => log.publishDue());
      ctx.every(lookEveryMs, () => integrity.look());
      ctx.log.info('ledger open', { last: ledger.last.seq });
      return {
        verbs: createVerbs(ctx, ledger, recorder, index, integrity, log),
        probe: createProbe(ctx, ledger, recorder, integrity, log, probeAppendEveryMs),
        async drain() {
          indexing.end();
          await Promise.all([index.close(), integrity.ended()]);
          await log.publishDue();
          await log.close();
          await ledger.close();
        },
      };
    } catch (error) {
      await transparency?.close();
      await ledger.close();
      throw error;
    }
  },
});

/** Records that are not those that were signed: told at once; sealed when it was told before and nobody has repaired it. */
async function answerBrokenTree(ledger: Ledger, transparency: Transparency, integrity: Integrity): Promise<void> {
  const { broken } = transparency.tree;
  if (!broken) return;
  if (!transparency.isUnrepaired) return integrity.tellOfTree();
  const order = { by: 'the start', reason: broken.message, dryRun: false };
  integrity.repaired(await repairWithTree(ledger, transparency, order), order.by);
}

function readConfig(ctx: KernelContext) {
  return readInput(ctx.config, {
    ...TRANSPARENCY_SHAPE,
    segmentBytes: is.optional(is.number({ min: 4096, integer: true })),
    groupCommitMs: is.optional(is.number({ min: 0, max: 1000 })),
    /** How often the whole record is verified. */
    verifyEveryMs: is.optional(is.number({ min: 1000 })),
    /** How often the files are looked at. */
    lookEveryMs: is.optional(is.number({ min: 50 })),
    /** How long damage may stand before the probe fails, and the next start repairs. */
    repairGraceMs: is.optional(is.number({ min: 0 })),
    /** The folder of a second copy of the segments, or `off`. */
    mirror: is.optional(is.string({ min: 1, max: 1000 })),
    /** How often the probe appends; in between it reads its last record again. */
    probeAppendEveryMs: is.optional(is.number({ min: 0 })),
  });
}

/** What the opening of the ledger had to do. */
function tellOfStart(ctx: KernelContext, ledger: Ledger, integrity: Integrity): void {
  const { recovered, repaired, epoch } = ledger;
  if (repaired) integrity.repaired(repaired, 'the start');
  if (!recovered) return;
  ctx.log.warn('a torn tail was cut off and recorded', { ...recovered });
  const done = { action: 'truncated' as const, by: 'the start', epoch: epoch.number, lost: 0, disputed: 0 };
  const data = { ledger: 'immutable_log' as const, ...done, restored: [], tookMs: 0 };
  ctx.supervisor.report({ name: 'record:repaired', data });
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
