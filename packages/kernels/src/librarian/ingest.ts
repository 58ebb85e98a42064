import type { Clock } from '@grace/contracts';
import type { Filing } from './filing.ts';
import type { DocumentType } from './intake/document-type.ts';
import type { Content } from './intake/file.ts';
import { documentId, type Library } from './store/library.ts';
import type { Workshop } from './workshop.ts';

export interface Arrival {
  namespace: string;
  /** Real path of a file, or the name the caller gave. */
  place: string;
  type: DocumentType;
  content: Content;
  /** Of the file it was read from; empty when there is none to go by. */
  stamp?: string;
}

export interface Ingested {
  document: string;
  chunks: number;
  /** True when this content was in the library already, here or elsewhere. */
  known: boolean;
  /** Why it was split as plain text, when its type could not be parsed. */
  note?: string;
}

export type Ingest = (arrival: Arrival) => Promise<Ingested>;

/** From text to filed chunks: hash, split, store, file in memory, forget what stood in this place before. */
export function createIngest(library: Library, workshop: Workshop, filing: Filing, clock: Clock): Ingest {
  /** The last work at each place: two contents of one place never overtake each other. */
  const last = new Map<string, Promise<unknown>>();

  const ingest = async ({ namespace, place, type, content, stamp = '' }: Arrival): Promise<Ingested> => {
    const before = library.at(namespace, place);
    const { hash, split } = await workshop.prepare({ type, content, knownHash: before?.hash });
    const id = documentId(namespace, hash);
    const known = library.document(id) !== undefined;
    if (!known || before?.id !== id) {
      if (before) await filing.finish(before.id);
      const { chunks, title, note, characters } = split!;
      const document = { id, namespace, hash, type, characters, atMs: clock.wallMs(), source: place };
      const name = (title ?? place.slice(place.lastIndexOf('/') + 1)).slice(0, 200).toWellFormed();
      library.shelve({ ...document, title: name, note: note ?? null }, place, chunks);
    }
    library.setStamp(namespace, place, stamp);
    await filing.file(id);
    // What stood here may stand elsewhere still; then it is filed under that place.
    if (before) await filing.finish(before.id);
    await filing.unfile();
    const note = library.document(id)?.note;
    return { document: id, chunks: library.chunks(id).length, known, ...(note ? { note } : {}) };
  };

  return (arrival) => {
    const key = `${arrival.namespace}\0${arrival.place}`;
    const before = last.get(key) ?? Promise.resolve();
    const work = before.then(
      () => ingest(arrival),
      () => ingest(arrival),
    );
    last.set(key, work);
    const clear = (): void => {
      if (last.get(key) === work) last.delete(key);
    };
    work.then(clear, clear);
    return work;
  };
}
