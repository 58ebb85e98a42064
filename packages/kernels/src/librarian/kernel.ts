import { GraceError } from '@grace/contracts';
import { defineKernel, readInput } from '@grace/kernel-sdk';
import { createFiling } from './filing.ts';
import { createIngest } from './ingest.ts';
import { memoryOf, NAMESPACE } from './memory.ts';
import { probeLibrary } from './probe.ts';
import { createReading } from './reading.ts';
import { search } from './search.ts';
import { readSettings } from './settings.ts';
import { openFailures } from './store/failures.ts';
import { type LibraryDocument, openLibrary } from './store/library.ts';
import { readDocumentId, readFolder, readIngest, readLimit, readSearch, readSummarise } from './verbs.ts';
import { createWatches } from './watch/watches.ts';
import { createWorkshop } from './workshop.ts';

const SETTLE_EVERY_MS = 10_000;
/** One look at each file, unread where it is the same: 5000 take about 0.1 s. */
const SCAN_EVERY_MS = 300_000;

/** Reads, watches, splits and summarises documents, and files their parts in memory_fusion with the way back. */
export default defineKernel({
  id: 'librarian',
  start(ctx) {
    const settings = readSettings(ctx.config);
    const library = openLibrary(ctx.store);
    // What a probe left that was killed; memory_fusion lets go of its part by age.
    library.drop('probe/');
    const workshop = createWorkshop(settings.maxThreads);
    ctx.onPressure(async ({ of }) => {
      const threads = await workshop.shed();
      if (threads > 0) ctx.log.info('threads ended: memory is short', { of, threads });
    });
    const memory = memoryOf(ctx);
    const filing = createFiling(library, memory, ctx.log);
    const ingest = createIngest(library, workshop, filing, ctx.clock);
    const failures = openFailures(ctx.store);
    const about = { failures, limits: settings, namespace: NAMESPACE };
    const reading = createReading({ ...about, ingest, clock: ctx.clock });
    const watches = createWatches({ ...about, library, reading, filing, log: ctx.log, signal: ctx.signal });

    let compared = false;
    const settle = async (): Promise<void> => {
      try {
        if (!compared) await filing.compare(NAMESPACE);
        compared = true;
        await filing.settle(ctx.signal);
      } finally {
        if (!ctx.signal.aborted) await watches.resume();
      }
    };
    ctx.every(SETTLE_EVERY_MS, settle);
    ctx.every(SCAN_EVERY_MS, watches.scan);
    // Once now, beside the start: probe and verbs do not wait for a large folder.
    const first = settle().catch((error: unknown) => ctx.log.warn('left work waits', { error: String(error) }));

    const known = (id: string): LibraryDocument => {
      const document = library.document(id);
      if (!document) throw new GraceError('NOT_FOUND', `no document has the id "${id}"`, { id });
      return document;
    };

    const verbs = {
      async ingest(input: unknown) {
        const given = readIngest(input);
        const ingested =
          'path' in given
            ? await reading.file(given.path, { type: given.type })
            : await reading.text(given.name, given.text, given.type);
        ctx.log.debug('ingest', { ...ingested });
        return ingested;
      },
      async watch(input: unknown) {
        const watched = await watches.add(readFolder(input).folder);
        ctx.log.debug('watch', watched);
        return watched;
      },
      async unwatch(input: unknown) {
        const unwatched = await watches.remove(readFolder(input).folder);
        ctx.log.debug('unwatch', unwatched);
        return unwatched;
      },
      document(input: unknown) {
        const { id } = readDocumentId(input);
        const { namespace: _, ...about } = known(id);
        const sections: { section: string; chunks: number; characters: number }[] = [];
        for (const { section, text, overlap } of library.chunks(id)) {
          const last = sections.at(-1);
          if (last?.section === section) {
            last.chunks++;
            last.characters += text.length - overlap;
          } else sections.push({ section, chunks: 1, characters: text.length });
        }
        ctx.log.debug('document', { document: id });
        return { ...about, filed: library.isFiled(id), places: library.places(id), sections };
      },
      failures(input: unknown) {
        return failures.newest(NAMESPACE, readLimit(input).limit);
      },
      async search(input: unknown) {
        const { query, limit } = readSearch(input);
        const found = await search(library, memory, NAMESPACE, query, limit);
        ctx.log.debug('search', { found: found.length });
        return found;
      },
      async summarise(input: unknown) {
        const given = readSummarise(input);
        const text =
          'id' in given
            ? library
                .chunks(known(given.id).id)
                .reduce(
                  (all, { overlap, text: part }) => all + (overlap === 0 ? `\n\n${part}` : part.slice(overlap)),
                  '',
                )
            : given.text;
        const sentences = await workshop.summarise(text, given.sentences);
        ctx.log.debug('summarise', { sentences: sentences.length });
        return { sentences, method: 'built in, extractive' };
      },
      async stats(input: unknown) {
        readInput(input, {});
        return { ...library.stats(), workshop: await workshop.stats() };
      },
      status(input: unknown) {
        readInput(input, {});
        const { documents, chunks, waiting } = library.stats();
        return { documents, chunks, waiting, failed: failures.count(), watches: watches.status() };
      },
    };

    return {
      verbs,
      probe: () =>
        probeLibrary({
          ingest,
          search: (namespace, query, limit) => search(library, memory, namespace, query, limit),
          async discard(namespace) {
            library.drop(namespace);
            await memory.forgetAll(namespace);
          },
        }),
      async drain() {
        await watches.close();
        await first;
        await workshop.close();
      },
    };
  },
});
