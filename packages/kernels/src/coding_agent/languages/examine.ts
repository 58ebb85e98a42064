import type { Candidate, Proof, ProofTask, Proposed, RepairTask } from '../change/candidate.ts';
import { applyEdits, withoutOverlaps } from '../change/edit.ts';
import { compare } from '../change/proof.ts';
import { type Finding, findingsOf, hash } from '../scan/finding.ts';
import { readSource } from '../tree/source.ts';
import type { Kind } from '../tree/walk.ts';
import type { Fix, Language, LanguageOptions, Marked } from './language.ts';

export type FileKind = Exclude<Kind, 'typescript'>;

/** Loaded at first use: a thread pays for the languages it meets. */
const LANGUAGES: Readonly<Record<FileKind, () => Promise<Language>>> = {
  json: async () => (await import('./json.ts')).json,
  yaml: async () => (await import('./yaml.ts')).yaml,
  python: async () => (await import('./python.ts')).python,
};

export interface ExamineTask extends LanguageOptions {
  root: string;
  /** With the hash of what was judged last. */
  files: readonly { file: string; kind: FileKind; hash: string | null }[];
  maxFileBytes: number;
}

export type Examined =
  | { file: string; kind: FileKind; hash: string; same: true }
  | { file: string; kind: FileKind; hash: string; same: false; findings: Finding[]; more: number }
  | { file: string; kind: FileKind; error: string };

/** Of one file. */
const FINDINGS_MAX = 500;

/** Judges files one by one; what has not changed is not judged again. */
export async function examineFiles({ root, files, maxFileBytes, ruff }: ExamineTask): Promise<Examined[]> {
  const found: Examined[] = [];
  for (const { file, kind, hash: known } of files) {
    try {
      const source = readSource(root, file, maxFileBytes);
      if (source.hash === known) found.push({ file, kind, hash: known, same: true });
      else {
        const findings = await judge(file, kind, source.text, { ruff });
        const more = Math.max(0, findings.length - FINDINGS_MAX);
        found.push({ file, kind, hash: source.hash, same: false, findings: findings.slice(0, FINDINGS_MAX), more });
      }
    } catch (error) {
      found.push({ file, kind, error: (error as Error).message });
    }
  }
  return found;
}

async function judge(file: string, kind: FileKind, text: string, options: LanguageOptions): Promise<Finding[]> {
  const marked = await (await LANGUAGES[kind]()).examine(text, file, options, false);
  return findingsOf(
    file,
    kind,
    text,
    marked.map(({ remark }) => remark),
  );
}

/** Finds the finding again in its file and gathers what may mend it, the most trusted first. */
export async function proposeInFile(task: RepairTask, kind: FileKind): Promise<Proposed> {
  const { text, hash: beforeHash } = readSource(task.root, task.file, task.maxFileBytes);
  const marked = await (await LANGUAGES[kind]()).examine(text, task.file, task, true);
  const findings = findingsOf(
    task.file,
    kind,
    text,
    marked.map(({ remark }) => remark),
  );
  const at = findings.findIndex(({ signature }) => signature === task.signature);
  const finding = findings[at];
  const own = marked[at];
  if (!finding || !own) return { finding: null, candidates: [] };
  const fixes = [...own.fixes].sort((a, b) => b.confidence - a.confidence);
  const candidates = fixes.flatMap((fix): Candidate[] => {
    const edits = task.scope === 'file' ? wholeFile(fix, marked, finding.rule) : fix.edits;
    const { strategy, reason, confidence } = fix;
    const after = applyEdits(text, edits);
    const patch = { file: task.file, before: text, after, beforeHash, afterHash: hash(after) };
    return after === text ? [] : [{ strategy, reason, confidence, files: [patch] }];
  });
  return { finding, candidates };
}

function wholeFile(fix: Fix, marked: readonly Marked[], rule: string): Fix['edits'] {
  const alike = marked.filter(({ remark }) => remark.rule === rule);
  return withoutOverlaps([
    fix.edits,
    ...alike
      .flatMap(({ fixes }) => fixes.filter(({ strategy }) => strategy === fix.strategy).slice(0, 1))
      .map(({ edits }) => edits),
  ]);
}

/** Judges the file as the candidate would have it, and compares. */
export async function proveInFile(task: ProofTask, kind: FileKind): Promise<Proof> {
  const patch = task.candidate.files[0]!;
  const before = await judge(task.file, kind, patch.before, task);
  const after = await judge(task.file, kind, patch.after, task);
  const judgeName = { python: 'ruff', json: 'the JSON parser', yaml: 'the YAML parser' }[kind];
  return {
    ...compare(task.finding, before, after, task.scope),
    how: `${judgeName} judged the file anew with the change in memory`,
  };
}
