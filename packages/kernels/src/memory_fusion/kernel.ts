import { GraceError } from '@grace/contracts';
import { defineKernel, readInput } from '@grace/kernel-sdk';
import { probeMemory } from './probe.ts';
import { recall } from './recall/recall.ts';
import { readSettings } from './settings.ts';
import { createIntake } from './store/intake.ts';
import { openMemories } from './store/memories.ts';
import { retain } from './store/retention.ts';
import { createVectorCache } from './store/vector-cache.ts';
import { readForgetting, readLink, readMemory, readQuestion } from './verbs.ts';
import { hashedEmbedder } from './words/embedder.ts';

const RETENTION_EVERY_MS = 60_000;

/** Memory of events, facts and documents: full text and vectors, fused by rank, recency and trust. */
export default defineKernel({
  id: 'memory_fusion',
  async start(ctx) {
    const settings = readSettings(ctx.config);
    const { db } = ctx.store;
    const embedder = hashedEmbedder(settings.dimension);
    const cache = createVectorCache(db, embedder, settings.cacheBytes);
    ctx.onPressure(({ of }) => {
      const { bytes } = cache.stats();
      cache.clear();
      // What SQLite holds in memory of its own, which no reading of the thread shows.
      db.exec('PRAGMA shrink_memory');
      if (bytes > 0) ctx.log.info('vectors dropped: memory is short', { of, bytes });
    });
    const memories = openMemories(ctx.store, embedder, cache);
    const counters = { remembered: 0, known: 0, recalled: 0, forgotten: 0, expired: 0 };
    const untidy = new Set<string>();

    const embedded = await memories.embedStale(ctx.signal);
    if (embedded > 0) ctx.log.info('vectors made anew', { count: embedded, embedder: embedder.id });

    const tidy = async (namespaces: Iterable<string>): Promise<void> => {
      const expired = await retain(memories, settings, namespaces, ctx.clock.wallMs());
      counters.expired += expired;
      if (expired > 0) ctx.log.info('memories expired', { count: expired });
    };
    const keep = createIntake(memories, (namespaces) => {
      for (const namespace of namespaces) untidy.add(namespace);
    });
    const namespaces = (): string[] =>
      db
        .prepare('SELECT DISTINCT namespace FROM memory')
        .all()
        .map((row) => String(row['namespace']));
    ctx.every(RETENTION_EVERY_MS, () => tidy(namespaces()));
    // Between two rounds a namespace may not grow far past its bound.
    ctx.every(1000, async () => {
      const grown = [...untidy];
      untidy.clear();
      await tidy(grown);
    });

    const verbs = {
      async remember(input: unknown) {
        const kept = await keep(readMemory(input, ctx.clock.wallMs()));
        counters[kept.known ? 'known' : 'remembered']++;
        ctx.log.debug('remember', { memory: kept.id, known: kept.known });
        return kept;
      },
      async recall(input: unknown) {
        const question = readQuestion(input);
        const found = await recall({ db, memories, cache, embedder }, question, ctx.clock.wallMs());
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
        const { where, values, id } = readForgetting(input);
        const forgotten = await memories.removeWhere(where, values);
        if (id !== undefined && forgotten === 0)
          throw new GraceError('NOT_FOUND', `no memory has the id "${id}"`, { id });
        counters.forgotten += forgotten;
        ctx.log.debug('forget', { forgotten });
        return { forgotten };
      },
      stats(input: unknown) {
        readInput(input, {});
        const rows = db
          .prepare(
            'SELECT namespace, kind, count(*) AS n FROM memory GROUP BY namespace, kind ORDER BY namespace, kind',
          )
          .all() as { namespace: string; kind: string; n: number }[];
        const byNamespace: Record<string, Record<string, number>> = {};
        for (const { namespace, kind, n } of rows) byNamespace[namespace] = { ...byNamespace[namespace], [kind]: n };
        return { namespaces: byNamespace, ...totals(), cache: cache.stats(), ...counters };
      },
      status(input: unknown) {
        readInput(input, {});
        return { ...totals(), embedder: embedder.id, method: 'built in, lexical', retention: settings.retention };
      },
    };

    const totals = (): { memories: number; vectors: number; links: number } => {
      const count = (from: string): number => Number(db.prepare(`SELECT count(*) AS n FROM ${from}`).get()!['n']);
      return { memories: count('memory'), vectors: count('memory_vector'), links: count('link') };
    };

    return {
      verbs,
      async probe() {
        const seen = await probeMemory({ ...verbs, unload: cache.drop });
        const { memories: stored, vectors } = totals();
        if (vectors !== stored) throw new Error(`${stored} memories are stored, but ${vectors} vectors`);
        return { ...seen, memories: stored };
      },
    };
  },
});
