import { dirname, relative, sep } from 'node:path';
import { compiler, type ts } from './compiler.ts';
import { pathIn } from './projects.ts';
import type { ProjectService } from './service.ts';
import type { SourceTree } from './tree.ts';
import type { TreeFix } from './tree-fix.ts';

/** "Module has no exported member", without and with "Did you mean". */
const NOT_EXPORTED = [2305, 2724];
const CONFIDENCE = 0.85;

/**
 * A name is imported from a module of the tree that does not export it, while exactly one file in or below the module's folder does: the module
 * gets the export. (What the module declares itself the language service exports.)
 */
export function addExport(
  tree: SourceTree,
  project: ProjectService,
  source: ts.SourceFile,
  { code, start = 0 }: ts.Diagnostic,
): TreeFix[] {
  if (!NOT_EXPORTED.includes(code)) return [];
  const ts = compiler();
  const program = project.program();
  const checker = program.getTypeChecker();
  const specifier = specifierAt(ts, source, start);
  const from =
    specifier &&
    (ts.isImportSpecifier(specifier) ? specifier.parent.parent.parent : specifier.parent.parent).moduleSpecifier;
  const module = from && checker.getSymbolAtLocation(from)?.valueDeclaration;
  if (!specifier || !module || !ts.isSourceFile(module)) return [];
  const file = pathIn(tree.root, module.fileName);
  if (!tree.listed.has(file)) return [];

  const name = (specifier.propertyName ?? specifier.name).text;
  const folder = dirname(module.fileName) + sep;
  const offers = program.getSourceFiles().flatMap((other) => {
    if (other === module || other === source || !other.fileName.startsWith(folder)) return [];
    if (!tree.listed.has(pathIn(tree.root, other.fileName))) return [];
    const symbol = checker.getSymbolAtLocation(other);
    const exported = symbol && checker.getExportsOfModule(symbol).find((one) => one.name === name);
    // Only where it is declared: others pass it on.
    return exported?.declarations?.some((one) => one.getSourceFile() === other && !ts.isExportSpecifier(one))
      ? [{ other, exported }]
      : [];
  });
  if (offers.length !== 1) return [];
  const { other, exported } = offers[0]!;
  const keyword = exported.flags & ts.SymbolFlags.Value ? 'export' : 'export type';
  const path = specifierOf(ts, module, other, project.project.options);
  const quote = /from "/.test(module.text) ? '"' : "'";
  const newline = module.text.includes('\r\n') ? '\r\n' : '\n';
  const at = placeIn(ts, module);
  const lead = at > 0 && module.text[at - 1] !== '\n' ? newline : '';
  const text = `${lead}${keyword} { ${name} } from ${quote}${path}${quote};${newline}`;
  return [
    {
      strategy: 'codemod:add-export',
      reason: `Exports ${name} from ${file}; ${pathIn(tree.root, other.fileName)} declares it.`,
      confidence: CONFIDENCE,
      files: new Map([[file, [{ start: at, end: at, text }]]]),
    },
  ];
}

function specifierAt(ts: typeof import('typescript6'), source: ts.SourceFile, start: number) {
  let found: ts.ImportSpecifier | ts.ExportSpecifier | undefined;
  const visit = (node: ts.Node): void => {
    if (start < node.getFullStart() || start >= node.getEnd()) return;
    if (ts.isImportSpecifier(node) || ts.isExportSpecifier(node)) found = node;
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Behind the last statement that passes something on, else at the end. */
function placeIn(ts: typeof import('typescript6'), module: ts.SourceFile): number {
  const last = module.statements.findLast((one) => ts.isExportDeclaration(one) && one.moduleSpecifier !== undefined);
  if (!last) return module.text.length;
  const line = module.text.indexOf('\n', last.getEnd());
  return line < 0 ? module.text.length : line + 1;
}

/** With the ending that the module itself uses for others beside it. */
function specifierOf(
  ts: typeof import('typescript6'),
  module: ts.SourceFile,
  other: ts.SourceFile,
  options: ts.CompilerOptions,
): string {
  const path = relative(dirname(module.fileName), other.fileName).split(sep).join('/');
  const used = module.statements
    .map((one) => (ts.isExportDeclaration(one) || ts.isImportDeclaration(one) ? one.moduleSpecifier : undefined))
    .find((one) => one && ts.isStringLiteral(one) && one.text.startsWith('.'));
  const sample = used && ts.isStringLiteral(used) ? used.text : undefined;
  const bare = path.replace(/\.([cm]?)tsx?$/, '');
  const kind = /\.([cm]?)tsx?$/.exec(path)?.[1];
  const plain = kind === undefined ? path : bare;
  const ending = sample
    ? (/\.[cm]?[jt]sx?$/.exec(sample)?.[0] ?? '')
    : options.allowImportingTsExtensions
      ? path.slice(bare.length)
      : options.moduleResolution === ts.ModuleResolutionKind.Bundler
        ? ''
        : `.${kind ?? ''}js`;
  return `./${kind === undefined ? plain : bare + ending}`;
}
