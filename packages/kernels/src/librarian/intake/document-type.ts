import { extname } from 'node:path';

export const DOCUMENT_TYPES = ['md', 'txt', 'html', 'json', 'csv', 'code', 'pdf'] as const;
export type DocumentType = (typeof DOCUMENT_TYPES)[number];

const EXTENSIONS: Readonly<Record<DocumentType, string>> = {
  md: 'md markdown',
  txt: 'txt text log rst adoc',
  html: 'html htm xhtml',
  json: 'json jsonl ndjson',
  csv: 'csv tsv',
  code: 'ts mts cts tsx js mjs cjs jsx py rb go rs java kt c h cc cpp hpp cs swift php sh bash sql lua pl yaml yml toml ini css',
  pdf: 'pdf',
};

const TYPE_OF = new Map<string, DocumentType>(
  DOCUMENT_TYPES.flatMap((type) => EXTENSIONS[type].split(' ').map((extension) => [`.${extension}`, type] as const)),
);

/** By the ending of the name; undefined when no reader knows it. */
export function typeOf(name: string): DocumentType | undefined {
  return TYPE_OF.get(extname(name).toLowerCase());
}

/** By what it begins with, whatever its name: only this has a reader of its own for bytes. */
export function isPdf(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(5, bytes.byteLength)).toString('latin1') === '%PDF-';
}
