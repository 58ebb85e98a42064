import { GraceError } from '@grace/contracts';
import { defineKernel, type KernelContext } from '@grace/kernel-sdk';
import { createPerformer } from './act/perform.ts';
import { createQueue } from './act/queue.ts';
import { createFiringJournal, INTENTION_TABLES, RECORD_TABLES } from './fired/journal.ts';
import { createLineage } from './gates/lineage.ts';
import { createMemory, MEMORY_AS_BYTES, MEMORY_TABLES } from './gates/memory.ts';
import { createSubscriber } from './match/subscriber.ts';
import { createMesh, type Mesh } from './mesh.ts';
import { createProbe, PROBE_PATTERN } from './probe.ts';
import type { Rule } from './rules/rule.ts';
import { createShelf, SHELF_TABLES } from './rules/shelf.ts';
import { createVerbs } from './verbs.ts';

/** Firings that may wait for their turn, their size, and how many act at once. */
const QUEUE = { items: 1000, bytes: 32 * 1024 ** 2, lanes: 8 };
/** Less than the drain deadline of the manifest. */
const FINISH_MS = 1500;

export default defineKernel({
  id: 'trigger_mesh',
  async start(ctx) {
    ctx.store.migrate([SHELF_TABLES + RECORD_TABLES + MEMORY_TABLES, INTENTION_TABLES + MEMORY_AS_BYTES]);
    const onError = (error: unknown): void => ctx.log.error('trigger work failed', { error: String(error) });
    const lineage = createLineage();
    const queue = createQueue(QUEUE, onError);
    const journal = createFiringJournal(ctx, onError);
    for (const trace of journal.traces()) lineage.recall(trace);
    const memory = createMemory(ctx);
    const shelf = createShelf(ctx.store);
    const subscriber = createSubscriber(ctx, (message) => mesh.receive(message));
    const performer = createPerformer(ctx, lineage);
    const mesh: Mesh = createMesh({ ctx, subscriber, lineage, performer, queue, journal, memory });

    subscriber.use(PROBE_PATTERN);
    for (const [i, rule] of (await shelf.load(configuredRules(ctx))).entries()) {
      mesh.put(rule);
      // Ten thousand rules must not keep the heartbeat waiting.
      if (i % 500 === 499) await new Promise((resolve) => setImmediate(resolve));
    }
    subscriber.begin();
    await subscriber.settled();
    const left = mesh.resume(journal.unfinished());
    if (left > 0) ctx.log.warn('firings of the life before are carried out', { firings: left });
    const probe = await createProbe(ctx, mesh, subscriber);
    void prepareAll(ctx, mesh).catch(onError);
    ctx.log.info('rules known', { rules: mesh.rules().length, subscriptions: subscriber.live().length });

    return {
      verbs: createVerbs({ ctx, mesh, shelf, journal, queue, subscriber }),
      probe,
      async drain() {
        mesh.stop();
        const left = await queue.finish(FINISH_MS);
        if (left > 0) ctx.log.warn('firings wait for the next start', { firings: left });
        memory.flush();
        journal.flush();
      },
    };
  },
});

/** Beside the work, a few at a time. */
async function prepareAll(ctx: KernelContext, mesh: Mesh): Promise<void> {
  for (const [i, live] of mesh.rules().entries()) {
    if (ctx.signal.aborted) return;
    live.prepare();
    if (i % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Rules as the composition root has checked them, or the path of a rule file. */
function configuredRules(ctx: KernelContext): readonly Rule[] | string | null {
  const given = ctx.config['triggers'];
  if (given === undefined || given === null) return null;
  if (typeof given === 'string' || Array.isArray(given)) return given;
  throw new GraceError(
    'CONFIG_INVALID',
    `kernels.trigger_mesh.config.triggers: expected the path of a rule file, got ${JSON.stringify(given)}`,
  );
}
