import { GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';
import { DOCUMENT_TYPES, type DocumentType } from './intake/document-type.ts';
import { readable } from './intake/text.ts';

const MAX_PATH = 4096;
/** Characters of a text that is given in the call itself; a file may be larger. */
const MAX_TEXT = 900_000;

const path = is.string({ max: MAX_PATH, pattern: /^[^\0]+$/, what: 'a path' });
const id = is.string({ pattern: /^[0-9a-f]{24}$/, what: 'the id of a document (24 hexadecimal digits)' });

export type IngestInput =
  | { path: string; type: DocumentType | undefined }
  | { name: string; text: string; type: DocumentType | undefined };

/** @throws GraceError `BAD_INPUT`, `TOO_LARGE`, `UNSUPPORTED_TYPE` */
export function readIngest(input: unknown): IngestInput {
  const given = readInput(input, {
    path: is.optional(path),
    name: is.optional(
      is.string({ max: 200, pattern: /^[^/\0\n][^\0\n]*$/, what: 'a name that does not begin with "/"' }),
    ),
    text: is.optional(is.string({ min: 0, max: Number.MAX_SAFE_INTEGER, what: 'a text' })),
    type: is.optional(is.oneOf(DOCUMENT_TYPES)),
  });
  const { name, text, type } = given;
  if (given.path !== undefined) {
    if (name !== undefined || text !== undefined) {
      throw new GraceError('BAD_INPUT', 'input: expected either path, or name and text, not both');
    }
    return { path: given.path, type };
  }
  if (name === undefined || text === undefined) {
    throw new GraceError('BAD_INPUT', 'input: expected path (a file), or name and text');
  }
  if (text.length > MAX_TEXT) {
    throw new GraceError(
      'TOO_LARGE',
      `input.text has ${text.length} characters, at most ${MAX_TEXT}; ingest it as a file by path`,
      {
        characters: text.length,
        maxCharacters: MAX_TEXT,
      },
    );
  }
  return { name, text: readable(name, Buffer.from(text)), type };
}

export const readFolder = (input: unknown): { folder: string } => readInput(input, { folder: path });

export const readDocumentId = (input: unknown): { id: string } => readInput(input, { id });

export function readLimit(input: unknown): { limit: number } {
  const given = readInput(input, { limit: is.optional(is.number({ min: 1, max: 1000, integer: true })) });
  return { limit: given.limit ?? 100 };
}

export function readSearch(input: unknown): { query: string; limit: number } {
  const given = readInput(input, {
    query: is.string({ max: 2000, what: 'a query' }),
    limit: is.optional(is.number({ min: 1, max: 50, integer: true })),
  });
  return { query: given.query, limit: given.limit ?? 10 };
}

export type SummariseInput = { sentences: number } & ({ id: string } | { text: string });

export function readSummarise(input: unknown): SummariseInput {
  const given = readInput(input, {
    id: is.optional(id),
    text: is.optional(is.string({ max: Number.MAX_SAFE_INTEGER, what: 'a text' })),
    sentences: is.optional(is.number({ min: 1, max: 20, integer: true })),
  });
  const sentences = given.sentences ?? 3;
  if ((given.id === undefined) === (given.text === undefined)) {
    throw new GraceError('BAD_INPUT', 'input: expected either id (a document) or text');
  }
  if (given.id !== undefined) return { id: given.id, sentences };
  if (given.text!.length > MAX_TEXT) {
    throw new GraceError('TOO_LARGE', `input.text has ${given.text!.length} characters, at most ${MAX_TEXT}`);
  }
  return { text: given.text!, sentences };
}
