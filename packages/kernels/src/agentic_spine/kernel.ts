import { defineKernel, is } from '@grace/kernel-sdk';
import { createDeadlines } from './act/deadlines.ts';
import { createHerald } from './act/herald.ts';
import { createGovernor } from './act/permission.ts';
import { createRunner } from './act/runner.ts';
import { createBook, GOAL_TABLES } from './goals/book.ts';
import { createOutbox, OUTBOX_TABLES } from './goals/outbox.ts';
import { createLibrary } from './plans/library.ts';
import { createProbe } from './probe.ts';
import { createVerbs } from './verbs.ts';

/** Nobody approves faster than this by hand, and nothing tells when somebody has. */
const LOOK_MS = 2000;
/** Less than the drain deadline of the manifest. */
const FINISH_MS = 1500;

export default defineKernel({
  id: 'agentic_spine',
  async start(ctx) {
    ctx.store.migrate([GOAL_TABLES + OUTBOX_TABLES]);
    const library = await createLibrary(ctx.config['library']);
    const lookMs =
      is.optional(is.number({ min: 50, max: 60_000, integer: true }))(ctx.config['lookMs'], 'config.lookMs') ?? LOOK_MS;
    const book = createBook(ctx.store, () => Math.floor(ctx.clock.wallMs()));
    const outbox = createOutbox(ctx);
    const governor = createGovernor(ctx);
    const runner = createRunner({ ctx, book, governor, herald: createHerald(ctx, book, outbox), lookMs });
    const probing = createProbe(ctx, book, governor, () => ({ plans: library.all().length, goals: book.count() }));
    book.dropProbes();
    ctx.onNeed((need, up) => {
      if (need === 'governance' && up) runner.governanceIsBack();
    });
    const deadlines = createDeadlines(ctx, book, runner);
    const left = runner.resume();
    deadlines.arm();
    outbox.wake();
    ctx.log.info('plans known', { plans: library.all().length, goalsLeft: left });
    return {
      verbs: createVerbs({ ctx, library, book, governor, outbox, runner, deadlines }),
      probe: probing.probe,
      async drain() {
        deadlines.end();
        const late = Promise.withResolvers<void>();
        const timer = setTimeout(late.resolve, FINISH_MS);
        const finished = Promise.all([runner.finish(), probing.runner.finish(), outbox.end()]);
        // What does not come back by then is found as an intent without an answer in the next life.
        await Promise.race([finished, late.promise]);
        clearTimeout(timer);
      },
    };
  },
});
