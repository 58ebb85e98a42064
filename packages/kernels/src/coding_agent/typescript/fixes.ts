import { addExport } from './add-export.ts';
import { addParameter } from './add-parameter.ts';
import { compiler, type ts } from './compiler.ts';
import { pathIn } from './projects.ts';
import type { ProjectService } from './service.ts';
import { SERVICE_FIXES } from './service-fixes.ts';
import type { SourceTree } from './tree.ts';
import type { TreeFix } from './tree-fix.ts';

/** What the language service and the codemods offer for one diagnostic, the most trusted first. */
export function treeFixes(
  tree: SourceTree,
  project: ProjectService,
  source: ts.SourceFile,
  diagnostic: ts.Diagnostic,
  isWholeFile: boolean,
): TreeFix[] {
  const fixes = [
    ...serviceFixes(tree, project, source, diagnostic, isWholeFile),
    ...addParameter(tree, project, source, diagnostic),
    ...addExport(tree, project, source, diagnostic),
  ];
  return fixes.sort((a, b) => b.confidence - a.confidence);
}

function serviceFixes(
  tree: SourceTree,
  { service }: ProjectService,
  source: ts.SourceFile,
  { code, start = 0, length = 0 }: ts.Diagnostic,
  isWholeFile: boolean,
): TreeFix[] {
  const ts = compiler();
  const format = ts.getDefaultFormatCodeSettings(source.text.includes('\r\n') ? '\r\n' : '\n');
  const offered = service.getCodeFixesAtPosition(source.fileName, start, start + length, [code], format, {});
  const known = offered.filter(({ fixName, commands }) => Object.hasOwn(SERVICE_FIXES, fixName) && !commands?.length);
  return known.flatMap((action): TreeFix[] => {
    const alike = known.filter(({ fixName }) => fixName === action.fixName).length;
    const confidence = SERVICE_FIXES[action.fixName]! / alike;
    const strategy = `language-service:${action.fixName}`;
    const one = filesOf(tree, action.changes);
    if (!one) return [];
    const fix: TreeFix = { strategy, reason: `${action.description}.`, confidence, files: one };
    if (!isWholeFile || action.fixId === undefined) return [fix];
    const combined = service.getCombinedCodeFix({ type: 'file', fileName: source.fileName }, action.fixId, format, {});
    const all = combined.commands?.length ? undefined : filesOf(tree, combined.changes);
    return all ? [{ ...fix, reason: `${action.fixAllDescription ?? action.description}.`, files: all }] : [fix];
  });
}

/** Undefined when it makes a file, or changes one that is none of the tree's own. */
function filesOf(tree: SourceTree, changes: readonly ts.FileTextChanges[]): TreeFix['files'] | undefined {
  const files: TreeFix['files'] = new Map();
  for (const { fileName, isNewFile, textChanges } of changes) {
    const file = pathIn(tree.root, fileName);
    if (isNewFile || !tree.listed.has(file)) return undefined;
    const edits = textChanges.map(({ span, newText }) => ({
      start: span.start,
      end: span.start + span.length,
      text: newText,
    }));
    files.set(file, [...(files.get(file) ?? []), ...edits]);
  }
  return files.size === 0 ? undefined : files;
}
