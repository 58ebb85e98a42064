import { type Clock, GraceError, toWireError } from '@grace/contracts';
import type { Ingest, Ingested } from './ingest.ts';
import { type DocumentType, typeOf } from './intake/document-type.ts';
import { type Content, type FileLimits, readFileIn } from './intake/file.ts';
import type { Failures } from './store/failures.ts';

/** What a file is refused for until it changes. The rest (a full queue, an absent memory) says nothing about the file. */
const LASTING = new Set(['UNSUPPORTED_TYPE', 'DOCUMENT_UNREADABLE', 'TOO_LARGE', 'FORBIDDEN']);

export interface ReadingParts {
  ingest: Ingest;
  failures: Failures;
  limits: FileLimits;
  clock: Clock;
  namespace: string;
}

export type Reading = ReturnType<typeof createReading>;

/** From a path to a filed document, or to an entry among the failures that says why not. */
export function createReading({ ingest, failures, limits, clock, namespace }: ReadingParts) {
  return {
    /** `folder`: the watched folder that the file must be in. `stamp`: of the file as the caller saw it. */
    async file(
      path: string,
      asked: { type?: DocumentType | undefined; folder?: string; stamp?: string } = {},
    ): Promise<Ingested> {
      let place = path;
      let seen = asked.stamp ?? '';
      try {
        const { path: real, stamp, content } = await readFileIn(path, limits, asked.folder);
        place = real;
        seen = stamp;
        const type = contentType(real, asked.type, content);
        const done = await ingest({ namespace, place, type, content, stamp });
        failures.remove(namespace, place);
        return done;
      } catch (error) {
        const { code, message } = toWireError(error);
        if (LASTING.has(code)) failures.put(namespace, { place, code, reason: message, atMs: clock.wallMs() }, seen);
        throw error;
      }
    },
    text: (name: string, text: string, type: DocumentType | undefined): Promise<Ingested> =>
      ingest({ namespace, place: name, type: contentType(name, type, { text }), content: { text } }),
  };
}

/** A pdf is known by its bytes; everything else by what the caller says, or by its name. */
function contentType(name: string, asked: DocumentType | undefined, content: Content): DocumentType {
  if ('pdf' in content) return 'pdf';
  const type = asked ?? typeOf(name) ?? 'txt';
  if (type !== 'pdf') return type;
  throw new GraceError(
    'DOCUMENT_UNREADABLE',
    `${name} is said to be a pdf, and does not begin like one; a pdf is given as a file`,
    {
      name,
    },
  );
}
