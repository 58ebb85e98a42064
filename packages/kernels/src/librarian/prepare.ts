import { createHash } from 'node:crypto';
import type { DocumentType } from './intake/document-type.ts';
import type { Content } from './intake/file.ts';
import { chunksOf } from './split/chunk.ts';
import { splitPdf } from './split/pdf.ts';
import { type Split, split } from './split/split.ts';

export interface Preparation {
  type: DocumentType;
  content: Content;
  /** Hash of what is filed under this place already: the same content is not split again. */
  knownHash?: string | undefined;
}

export interface Prepared {
  /** SHA-256 of type and content, hexadecimal: equal content of one type is one document. */
  hash: string;
  /** Absent when the hash is the known one. */
  split?: Split & { characters: number };
}

/** The work on a document that costs CPU: hash it, split it. */
export async function prepare({ type, content, knownHash }: Preparation): Promise<Prepared> {
  const said = 'pdf' in content ? content.pdf : content.text;
  const hash = createHash('sha256').update(type).update('\0').update(said).digest('hex');
  if (hash === knownHash) return { hash };
  if ('pdf' in content) {
    const { sections, ...about } = await splitPdf(content.pdf);
    return { hash, split: { chunks: chunksOf(sections), ...about } };
  }
  return { hash, split: { ...(await split(type, content.text)), characters: content.text.length } };
}
