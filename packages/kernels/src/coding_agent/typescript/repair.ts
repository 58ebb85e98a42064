import { join } from 'node:path';
import type { Candidate, Proof, ProofTask, Proposed, RepairTask } from '../change/candidate.ts';
import { applyEdits, withoutOverlaps } from '../change/edit.ts';
import { compare } from '../change/proof.ts';
import { hash } from '../scan/finding.ts';
import { readSource } from '../tree/source.ts';
import type { ts } from './compiler.ts';
import { treeFixes } from './fixes.ts';
import type { ProjectService } from './service.ts';
import { openTree, type SourceTree } from './tree.ts';
import type { TreeFix } from './tree-fix.ts';

/** Finds the finding again and gathers what may mend it. */
export function proposeInTree(task: RepairTask): Proposed {
  const tree = openTree(task);
  for (const project of tree.services) {
    const source = project.program().getSourceFile(join(tree.root, task.file));
    if (!source || !tree.listed.has(task.file)) continue;
    const finding = tree.findings(project).find(({ signature }) => signature === task.signature);
    if (!finding) continue;
    const same = diagnosticsOf(project, source).filter(({ code }) => `ts${code}` === finding.rule);
    const start = source.getPositionOfLineAndCharacter(finding.line - 1, finding.column - 1);
    const ours = same.find((one) => one.start === start);
    if (!ours) continue;
    const isWhole = task.scope === 'file';
    const fixes = treeFixes(tree, project, source, ours, isWhole);
    const wide = isWhole
      ? fixes.map((fix) => widened(fix, () => same.map((one) => treeFixes(tree, project, source, one, true))))
      : fixes;
    return { finding, candidates: wide.flatMap((fix) => candidateOf(tree, task, fix)) };
  }
  return { finding: null, candidates: [] };
}

/** Imagines the candidate in every project that reads one of its files, and compares what they say then with what they say now. */
export function proveInTree(task: ProofTask): Proof {
  const tree = openTree(task);
  const changed = new Map(task.candidate.files.map(({ file, after }) => [join(tree.root, file), after]));
  const concerned = tree.services.filter((project) =>
    [...changed.keys()].some((path) => project.program().getSourceFile(path) !== undefined),
  );
  const before = concerned.flatMap((project) => tree.findings(project));
  try {
    for (const project of concerned) project.imagine(changed);
    const after = concerned.flatMap((project) => tree.findings(project));
    const files = concerned.reduce((sum, project) => sum + project.project.fileNames.length, 0);
    return {
      ...compare(task.finding, before, after, task.scope),
      how: `${files} files of ${concerned.length} TypeScript projects were checked anew with the change in memory`,
    };
  } finally {
    for (const project of concerned) project.imagine(new Map());
  }
}

/** For services that have no combined fix: the same fix at each place where it is offered. */
function widened(fix: TreeFix, everywhere: () => TreeFix[][]): TreeFix {
  const groups = everywhere().flatMap((fixes) => fixes.find(({ strategy }) => strategy === fix.strategy) ?? []);
  const files = new Map<string, ReturnType<typeof withoutOverlaps>>();
  for (const file of new Set(groups.flatMap((one) => [...one.files.keys()])))
    files.set(file, withoutOverlaps(groups.map((one) => one.files.get(file) ?? [])));
  return { ...fix, files };
}

function candidateOf(tree: SourceTree, task: RepairTask, { files, ...fix }: TreeFix): Candidate[] {
  try {
    const patched = [...files].map(([file, edits]) => {
      const { text, hash: beforeHash } = readSource(tree.root, file, task.maxFileBytes);
      const after = applyEdits(text, edits);
      return { file, before: text, after, beforeHash, afterHash: hash(after) };
    });
    return patched.every(({ before, after }) => before === after) ? [] : [{ ...fix, files: patched }];
  } catch {
    // Edits that overlap, or a file that is no text: no candidate.
    return [];
  }
}

function diagnosticsOf(project: ProjectService, source: ts.SourceFile): ts.Diagnostic[] {
  const program = project.program();
  return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
}
