import { defineKernel } from '@grace/kernel-sdk';
import { listen } from './listen.ts';
import { createMetaLoop, NOTE_TABLES, seriesAfter } from './meta-loop.ts';
import { createProbe } from './probe.ts';
import { BOOK_TABLES, createBook } from './record/book.ts';
import { createJournalReader } from './record/reader.ts';
import { readSettings } from './settings.ts';
import { createTelling, TELLING_TABLES } from './telling.ts';
import { createExperimentBook, EXPERIMENT_TABLES } from './tune/experiment.ts';
import { createKnobAccess } from './tune/knob-access.ts';
import { createTuner } from './tune/tuner.ts';
import { createVerbs } from './verbs.ts';

const FLUSH_MS = 60_000;
/** What is left to tell at the end gets this long. */
const FINISH_MS = 1000;

export default defineKernel({
  id: 'meta_loop',
  async start(ctx) {
    const settings = readSettings(ctx);
    ctx.store.migrate([BOOK_TABLES + EXPERIMENT_TABLES + NOTE_TABLES + TELLING_TABLES]);
    const book = createBook(ctx.store);
    const reader = createJournalReader(ctx, book);
    const experiments = createExperimentBook(ctx.store);
    const access = createKnobAccess(ctx);
    const telling = createTelling(ctx, ctx.store);
    const read = (name: string, fromMs: number, bucketMs: number | null): number[] =>
      seriesAfter(book, ctx.clock.wallMs())(name, fromMs, bucketMs);
    const tuner = createTuner(ctx, { book: experiments, access, read, telling, limits: settings });
    const loop = createMetaLoop(ctx, { store: ctx.store, book, reader, access, tuner, settings });

    let closed = 0;
    let timer: NodeJS.Timeout | undefined;
    const round = async (why: string): Promise<void> => {
      closed = 0;
      await loop.round(why).catch((error: Error) => {
        if (!ctx.signal.aborted) ctx.log.error('an evaluation failed', { error: error.message });
      });
    };
    const soon = (why: string): void => {
      if (ctx.signal.aborted) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        void round(why);
      }, settings.settleMs);
    };
    ctx.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    await listen(ctx, book, () => {
      closed++;
      if (closed >= settings.incidents) soon(`${closed} incidents were closed`);
    });
    ctx.every(settings.evaluateMs, () => round('it was time'));
    ctx.every(FLUSH_MS, telling.flush);
    // What a crash cut off, and what happened while it was away: after the start, which others wait for.
    soon('it has started');

    return {
      verbs: createVerbs({ ctx, settings, book, reader, loop, tuner, experiments, telling }),
      probe: createProbe(ctx.store, book, experiments),
      async drain() {
        const late = Promise.withResolvers<void>();
        const end = setTimeout(late.resolve, FINISH_MS);
        await Promise.race([telling.flush(), late.promise]);
        clearTimeout(end);
      },
    };
  },
});
