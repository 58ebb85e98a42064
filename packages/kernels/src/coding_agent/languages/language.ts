import type { Edit } from '../change/edit.ts';
import type { Remark } from '../scan/finding.ts';

/** What mends one remark. */
export interface Fix {
  strategy: string;
  reason: string;
  confidence: number;
  edits: Edit[];
}

export interface Marked {
  remark: Remark;
  fixes: Fix[];
}

export interface LanguageOptions {
  /** Prefixes of ruff's rules. */
  ruff: readonly string[];
}

/** A language whose files are judged one by one. */
export interface Language {
  /** `withFixes` false: for a scan, which needs none. */
  examine(text: string, file: string, options: LanguageOptions, withFixes: boolean): Marked[] | Promise<Marked[]>;
}
