import type { Fix } from '../languages/language.ts';

/** A fix over several files: relative path -> its edits. */
export interface TreeFix extends Omit<Fix, 'edits'> {
  files: Map<string, Fix['edits']>;
}
