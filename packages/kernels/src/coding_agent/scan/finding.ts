import { createHash } from 'node:crypto';
import type { Kind } from '../tree/walk.ts';

export const SEVERITIES = ['error', 'warning'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What a language says about a place in a file. Lines and columns count from 1, columns in UTF-16 units. */
export interface Remark {
  /** `ts2304`, `F401`, `json-trailing-comma` */
  rule: string;
  message: string;
  severity: Severity;
  line: number;
  column: number;
}

export interface Finding extends Remark {
  /** The same for the same defect, whenever and wherever in the file it is seen. */
  signature: string;
  file: string;
  kind: Kind;
}

const VERSION = '1';
const MESSAGE_LENGTH = 500;

/**
 * Gives remarks on one file their signatures: rule, message without numbers and absolute paths, file, and the words of the lines around. Nothing
 * that changes when lines are added above, and nothing of time or machine.
 */
export function findingsOf(file: string, kind: Kind, text: string, remarks: readonly Remark[]): Finding[] {
  const lines = text.split('\n');
  return remarks.map((remark) => {
    const around = [remark.line - 2, remark.line - 1, remark.line]
      .map((at) => (lines[at] ?? '').trim().replace(/\s+/g, ' '))
      .join('\n');
    const message = remark.message.slice(0, MESSAGE_LENGTH);
    const parts = [VERSION, remark.rule, normalMessage(message), file, hash(around)];
    return { ...remark, message: withoutTexts(message), signature: hash(parts.join('\0')).slice(0, 24), file, kind };
  });
}

/** Compilers quote what a text says, which may be a key or a password; what is wrong with it is told without. */
function withoutTexts(message: string): string {
  return message.replace(/"(?:[^"\\\n]|\\.){8,}"|(?<=`)'(?:[^'\\\n]|\\.){8,}'/g, '"…"');
}

export function normalMessage(message: string): string {
  return message
    .replace(/(?:[A-Za-z]:)?(?:\/[^\s/'"`]+){2,}/g, '<path>')
    .replace(/\b0x[0-9a-f]+\b/gi, '<hex>')
    .replace(/\b\d+\b/g, '<n>')
    .replace(/\s+/g, ' ')
    .trim();
}

/**
 * What stays the same for a finding when a patch changes the lines beside it, or a type that its message spells out: to compare a tree before
 * and after.
 */
export function kinship(finding: Pick<Finding, 'rule' | 'message' | 'file'>): string {
  return [finding.file, finding.rule, normalMessage(finding.message).replace(/ types? '.*$/, '')].join('\0');
}

export function hash(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
