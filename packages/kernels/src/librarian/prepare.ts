import { createHash } from 'node:crypto';
import type { DocumentType } from './intake/document-type.ts';
import { type Split, split } from './split/split.ts';

export interface Preparation {
  type: DocumentType;
  text: string;
  /** Hash of what is filed under this place already: the same content is not split again. */
  knownHash?: string | undefined;
}

export interface Prepared {
  /** SHA-256 of type and text, hexadecimal: equal content of one type is one document. */
  hash: string;
  /** Absent when the hash is the known one. */
  split?: Split;
}

/** The work on a document that costs CPU: hash it, split it. */
export async function prepare({ type, text, knownHash }: Preparation): Promise<Prepared> {
  const hash = createHash('sha256').update(type).update('\0').update(text).digest('hex');
  return hash === knownHash ? { hash } : { hash, split: await split(type, text) };
}
