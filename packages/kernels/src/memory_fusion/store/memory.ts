import { createHash } from 'node:crypto';

export const KINDS = ['event', 'fact', 'document'] as const;
export type Kind = (typeof KINDS)[number];

/** What is remembered, as the caller gave it, checked and filled in. */
export interface Memory {
  id: string;
  namespace: string;
  kind: Kind;
  /** Where it comes from; empty when not said. */
  source: string;
  text: string;
  /** 0 (hearsay) to 1 (certain). */
  trust: number;
  tags: string[];
  /** Wall time, ms: when it happened or was true. */
  atMs: number;
}

/** The same text of the same source in the same namespace has the same id, so saying it twice changes nothing. */
export function memoryId(namespace: string, source: string, text: string): string {
  return createHash('sha256')
    .update(JSON.stringify([namespace, source, text]))
    .digest('hex')
    .slice(0, 24);
}
