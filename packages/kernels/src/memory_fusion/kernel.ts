import { GraceError } from '@grace/contracts';
import { defineKernel, type KernelContext, readInput } from '@grace/kernel-sdk';
import { openEndpoint } from './model/open.ts';
import { probeMemory } from './probe.ts';
import { recall } from './recall/recall.ts';
import { readSettings } from './settings.ts';
import { createCensus } from './store/census.ts';
import { createIndexing } from './store/indexing.ts';
import { createIntake } from './store/intake.ts';
import { openMemories } from './store/memories.ts';
import { damage, openTables } from './store/open.ts';
import { createRemoval } from './store/removal.ts';
import { retain } from './store/retention.ts';
import { createVectorCache } from './store/vector-cache.ts';
import { readForgetting, readLink, readMemory, readQuestion, readTranscript } from './verbs.ts';
import { hashedEmbedder } from './words/embedder.ts';

const RETENTION_EVERY_MS = 60_000;
/** Between two rounds a namespace may not grow far past its bound. */
const TIDY_AFTER_MS = 1000;

/** Memory of events, facts and documents: full text and vectors, fused by rank, recency and trust. */
export default defineKernel({
  id: 'memory_fusion',
  start(ctx) {
    const settings = readSettings(ctx.config);
    openTables(ctx.store);
    const { db } = ctx.store;
    const embedder = hashedEmbedder(settings.dimension);
    const shelf = { table: 'memory_vector', dimension: settings.dimension } as const;
    const cache = createVectorCache(db, shelf, settings.cacheBytes);
    const endpoint = settings.model && openEndpoint(ctx, settings.model, settings.cacheBytes);
    const caches = endpoint ? [cache, endpoint.cache] : [cache];
    const removal = createRemoval(ctx.store, caches);
    const memories = openMemories(ctx.store, embedder, caches, removal, endpoint?.backlog.wake);
    const census = createCensus(ctx.store);
    const indexing = createIndexing(ctx.store, embedder, cache);
    const counters = { remembered: 0, known: 0, recalled: 0, forgotten: 0, expired: 0 };
    releaseUnderPressure(ctx, () => {
      const bytes = caches.reduce((sum, each) => sum + each.stats().bytes, 0);
      for (const each of caches) each.clear();
      return bytes;
    });

    if (indexing.begin()) ctx.log.info('vectors of another embedder go', { embedder: embedder.id });
    // Beside the work: neither verbs nor the probe wait for what may be a hundred thousand memories.
    const catchUp = async (): Promise<void> => {
      await removal.finish();
      const made = await indexing.complement(ctx.signal);
      if (made > 0) ctx.log.info('words and vectors made anew', { memories: made });
      endpoint?.backlog.wake();
    };
    const caughtUp = catchUp().catch((error: unknown) => {
      if (!ctx.signal.aborted) ctx.log.error('index not complete', { error: String(damage(error, ctx.store.path)) });
    });

    const tidy = async (namespaces: Iterable<string>): Promise<void> => {
      const expired = await retain({ removal, census }, settings, namespaces, ctx.clock.wallMs());
      counters.expired += expired;
      if (expired > 0) ctx.log.info('memories expired', { count: expired });
    };
    ctx.every(RETENTION_EVERY_MS, () => tidy(census.namespaces()));
    const untidy = new Set<string>();
    let tidying: NodeJS.Timeout | undefined;
    ctx.signal.addEventListener('abort', () => clearTimeout(tidying), { once: true });
    const keep = createIntake(memories, (namespaces) => {
      for (const namespace of namespaces) untidy.add(namespace);
      if (ctx.signal.aborted) return;
      tidying ??= setTimeout(() => {
        tidying = undefined;
        const grown = [...untidy];
        untidy.clear();
        tidy(grown).catch((error: unknown) => ctx.log.error('retention failed', { error: String(error) }));
      }, TIDY_AFTER_MS);
    });

    const forget = async (input: unknown, isProbe: boolean): Promise<{ forgotten: number }> => {
      const { where, values, id, thorough } = readForgetting(input);
      const forgotten = removal.leave(where, values);
      if (id !== undefined && forgotten === 0)
        throw new GraceError('NOT_FOUND', `no memory has the id "${id}"`, { id });
      await removal.finish();
      endpoint?.model.forgetQueries();
      if (!isProbe && (forgotten > 0 || thorough)) removal.scrub(thorough);
      return { forgotten };
    };

    const verbs = {
      async remember(input: unknown) {
        const kept = await keep(readMemory(input, ctx.clock.wallMs()));
        counters[kept.known ? 'known' : 'remembered']++;
        ctx.log.debug('remember', { memory: kept.id, known: kept.known });
        return kept;
      },
      async recall(input: unknown) {
        const question = readQuestion(input);
        const sources = { db, memories, cache, embedder, ...(endpoint ? { model: endpoint } : {}) };
        const found = await recall(sources, question, ctx.clock.wallMs());
        counters.recalled++;
        ctx.log.debug('recall', { namespace: question.namespace, found: found.length });
        return found;
      },
      link(input: unknown) {
        const { from, to, relation } = readLink(input);
        const linked = { from, to, relation, ...memories.link(from, to, relation) };
        ctx.log.debug('link', linked);
        return linked;
      },
      async forget(input: unknown) {
        const done = await forget(input, false);
        counters.forgotten += done.forgotten;
        ctx.log.debug('forget', done);
        return done;
      },
      stats(input: unknown) {
        readInput(input, {});
        const caching = { cache: cache.stats(), ...(endpoint ? { modelCache: endpoint.cache.stats() } : {}) };
        return { namespaces: census.byKind(), ...census.totals(), ...caching, ...counters };
      },
      transcript(input: unknown) {
        const { limit } = readTranscript(input);
        return endpoint?.ledger.newest(limit) ?? [];
      },
      status(input: unknown) {
        readInput(input, {});
        const method = endpoint ? 'endpoint; built in, lexical, where it does not answer' : 'built in, lexical';
        const model = endpoint && { ...endpoint.model.status(), waiting: endpoint.backlog.waiting() };
        const { retention } = settings;
        return { ...census.totals(), embedder: embedder.id, method, ...(model ? { model } : {}), retention };
      },
    };

    return {
      verbs: told(verbs, ctx.store.path),
      async probe() {
        const seen = await probeMemory({
          ...{ remember: verbs.remember, recall: verbs.recall, unload: cache.drop },
          forget: (input) => forget(input, true),
        });
        const { looked, words, vectors } = census.incomplete(Math.random());
        if (indexing.complete && words + vectors > 0)
          throw new Error(`of ${looked} memories ${words} have lost their words and ${vectors} their vectors`);
        return { ...seen, looked };
      },
      async drain() {
        await caughtUp;
        await endpoint?.backlog.close();
      },
    };
  },
});

function releaseUnderPressure(ctx: KernelContext, release: () => number): void {
  ctx.onPressure(({ of }) => {
    const bytes = release();
    // What SQLite holds in memory of its own, which no reading of the thread shows.
    ctx.store.db.exec('PRAGMA shrink_memory');
    if (bytes > 0) ctx.log.info('vectors dropped: memory is short', { of, bytes });
  });
}

/** Every verb says of a damaged file that it is one. */
function told<T extends Record<string, (input: unknown) => unknown>>(verbs: T, path: string): T {
  const wrapped = Object.entries(verbs).map(([name, verb]) => [
    name,
    async (input: unknown) => {
      try {
        return await verb(input);
      } catch (error) {
        throw damage(error, path);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as T;
}
