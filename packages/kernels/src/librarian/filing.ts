import type { KernelLog } from '@grace/kernel-sdk';
import type { Memory } from './memory.ts';
import type { Filed, Library, LibraryDocument } from './store/library.ts';

/** Not more than memory_fusion forgets in one step: a memory that comes back right after is not forgotten by a later step. */
const UNFILE_BATCH = 200;

export type Filing = ReturnType<typeof createFiling>;

/**
 * Carries the library's chunks into memory and takes them out again. What it could not finish stands in the store and is taken up by
 * `settle`, so neither a kill nor an absent memory_fusion loses or leaves a chunk.
 */
export function createFiling(library: Library, memory: Memory, log: KernelLog) {
  const underway = new Map<string, { source: string; done: Promise<void> }>();

  const carry = async ({ id, namespace, title, atMs, source }: LibraryDocument): Promise<void> => {
    const chunks = library.chunks(id);
    const texts = chunks.map((chunk) => ({
      text: inContext(title, chunk),
      source: sourceOf(source, chunk.section),
      atMs,
    }));
    // A chunk without a single word (a ruler of dashes) cannot be recalled, so it is kept here alone.
    const said = [...texts.keys()].filter((i) => /[\p{L}\p{N}]/u.test(texts[i]!.text));
    const ids = await memory.remember(
      namespace,
      said.map((i) => texts[i]!),
    );
    library.markFiled(
      id,
      source,
      ids.map((kept, i) => ({ memory: kept, position: chunks[said[i]!]!.position })),
    );
  };

  const file = async (id: string): Promise<void> => {
    const running = underway.get(id);
    if (running) return running.done;
    const document = library.document(id);
    if (!document || library.isFiled(id)) return;
    const done = carry(document).finally(() => underway.delete(id));
    underway.set(id, { source: document.source, done });
    await done;
  };

  /** Only what is in memory to the end can be forgotten to the end. Without a memory nothing more is there than the store knows of. */
  const finish = (id: string): Promise<void> =>
    file(id).catch((error: unknown) =>
      log.debug('document not filed to its end', { document: id, error: String(error) }),
    );

  const unfile = async (): Promise<void> => {
    for (;;) {
      // Where chunks are being carried in, the same text may be coming back; it is known whether it did when they are in.
      const busy = new Set([...underway.values()].map(({ source }) => source));
      const memories = library.unfiling(UNFILE_BATCH).flatMap(({ memory: id, place }) => (busy.has(place) ? [] : [id]));
      if (memories.length === 0) return;
      await memory.forget(memories);
      library.markForgotten(memories);
    }
  };

  return {
    /** Resolves when all chunks of the document are in memory. */
    file,
    /** The same, but what keeps it from memory is left to `settle`. */
    finish,
    /** Forgets what documents left behind. */
    unfile,
    /** Takes the document of a place away, and from memory too when it stands nowhere else. */
    async remove(namespace: string, place: string): Promise<void> {
      const document = library.at(namespace, place);
      if (!document) return;
      await finish(document.id);
      library.removePlace(namespace, place);
      await finish(document.id);
      await unfile();
    },
    /** Finishes what a kill or an absent memory_fusion left. */
    async settle(signal: AbortSignal): Promise<void> {
      for (const id of library.waiting()) {
        if (signal.aborted) return;
        await file(id);
        log.info('document filed late', { document: id });
      }
      if (!signal.aborted) await unfile();
    },
    /** A memory that lost its store knows fewer chunks than were filed: then all are filed anew (known ones stay as they are). */
    async compare(namespace: string): Promise<void> {
      const held = await memory.count(namespace);
      if (held > 0 || library.stats().chunks === 0) return;
      const ids = library.filed();
      for (const id of ids) library.markUnfiled(id);
      if (ids.length > 0) log.warn('memory holds none of the documents; filing them anew', { documents: ids.length });
    },
  };
}

/** `path#section`: leads from a memory back to its place. */
export const sourceOf = (place: string, section: string): string => `${place}#${section}`.slice(0, 4096).toWellFormed();

/** A chunk as it is remembered: under its document and section, so that a question may name them. */
function inContext(title: string, { section, text }: Filed): string {
  return `${title} / ${section}\n${text}`;
}
