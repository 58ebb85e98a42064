import type { DocumentType } from '../intake/document-type.ts';
import { type Chunk, chunksOf, type Section } from './chunk.ts';
import { splitCsv } from './csv.ts';
import { splitHtml } from './html.ts';
import { splitJson } from './json.ts';
import { splitCode, splitPlain } from './lines.ts';
import { splitMarkdown } from './markdown.ts';

export interface Split {
  chunks: Chunk[];
  title?: string;
  /** Why the document was split as plain text, when its type could not be parsed. */
  note?: string;
}

const splitters: Record<
  Exclude<DocumentType, 'pdf'>,
  (text: string) => Section[] | Promise<Section[] | (Omit<Split, 'chunks'> & { sections: Section[] })>
> = {
  md: splitMarkdown,
  html: splitHtml,
  json: splitJson,
  csv: splitCsv,
  code: splitCode,
  txt: splitPlain,
};

/** A text as chunks by its structure. What does not parse as its type is split as plain text, and the note says why. */
export async function split(type: DocumentType, text: string): Promise<Split> {
  // Named so, and not one: only its bytes tell.
  const splitter = type === 'pdf' ? splitPlain : splitters[type];
  try {
    const result = await splitter(text);
    if (Array.isArray(result)) return { chunks: chunksOf(result) };
    const { sections, ...about } = result;
    return { chunks: chunksOf(sections), ...about };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      chunks: chunksOf(splitPlain(text)),
      note: `not valid ${type}, split as plain text: ${reason.slice(0, 200)}`,
    };
  }
}
