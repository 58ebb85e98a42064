import { compiler, type ts } from './compiler.ts';
import { pathIn } from './projects.ts';
import type { ProjectService } from './service.ts';
import type { SourceTree } from './tree.ts';
import type { TreeFix } from './tree-fix.ts';

/** "Object literal may only specify known properties, and 'x' does not exist in type T." */
const UNKNOWN_PROPERTY = 2353;
const TYPED = 0.8;
const UNTYPED = 0.6;

/**
 * A call passes a property that the type of the method's parameter does not have: the type gets it, optional, since other calls go without. It
 * is never taken away from the calls. Two candidates: with the type of what is passed, and `unknown`, should that not be known there.
 */
export function addParameter(
  tree: SourceTree,
  project: ProjectService,
  source: ts.SourceFile,
  { code, start = 0 }: ts.Diagnostic,
): TreeFix[] {
  if (code !== UNKNOWN_PROPERTY) return [];
  const ts = compiler();
  const checker = project.program().getTypeChecker();
  const property = propertyAt(ts, source, start);
  const literal = property?.parent;
  if (!property || !literal || !ts.isObjectLiteralExpression(literal)) return [];
  if (!ts.isCallExpression(literal.parent) && !ts.isNewExpression(literal.parent)) return [];
  const expected = checker.getContextualType(literal);
  const members = membersOf(ts, tree, expected && checker.getNonNullableType(expected));
  const name = property.name?.getText(source);
  if (!members || !name) return [];

  const value = ts.isShorthandPropertyAssignment(property) ? property.name : property.initializer;
  const passed = checker.getWidenedType(checker.getBaseTypeOfLiteralType(checker.getTypeAtLocation(value)));
  const shown = checker.typeToString(
    passed,
    members,
    ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseSingleQuotesForStringLiteralType,
  );
  const file = pathIn(tree.root, members.getSourceFile().fileName);
  const candidate = (type: string, confidence: number): TreeFix => ({
    strategy: 'codemod:add-parameter',
    reason: `Adds the parameter ${name} that its callers pass; what is called does not use it yet.`,
    confidence,
    files: new Map([[file, [insertion(members, `${name}?: ${type}`)]]]),
  });
  const isNameable = shown !== 'any' && shown !== 'unknown' && !shown.includes('import(');
  return [...(isNameable ? [candidate(shown, TYPED)] : []), candidate('unknown', UNTYPED)];
}

type Passed = ts.PropertyAssignment | ts.ShorthandPropertyAssignment;

function propertyAt(ts: typeof import('typescript6'), source: ts.SourceFile, start: number): Passed | undefined {
  let found: Passed | undefined;
  const visit = (node: ts.Node): void => {
    if (start < node.getFullStart() || start >= node.getEnd()) return;
    if (
      (ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node)) &&
      node.name.getStart(source) === start
    )
      found = node;
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

type Members = ts.TypeLiteralNode | ts.InterfaceDeclaration;

/** The one place of the tree where the members of a type are written down. */
function membersOf(ts: typeof import('typescript6'), tree: SourceTree, type: ts.Type | undefined): Members | undefined {
  const [declaration, ...others] = type?.symbol?.declarations ?? [];
  if (!declaration || others.length > 0) return undefined;
  if (!ts.isTypeLiteralNode(declaration) && !ts.isInterfaceDeclaration(declaration)) return undefined;
  return tree.listed.has(pathIn(tree.root, declaration.getSourceFile().fileName)) ? declaration : undefined;
}

function insertion(node: Members, member: string): { start: number; end: number; text: string } {
  const source = node.getSourceFile();
  const last = node.members.at(-1);
  if (!last) {
    const at = node.members.pos;
    return { start: at, end: at, text: ` ${member} ` };
  }
  const at = last.getEnd();
  const separator = /[;,]$/.exec(last.getText(source))?.[0];
  const start = last.getStart(source);
  const lineStart = source.text.lastIndexOf('\n', start - 1) + 1;
  const indent = source.text.slice(lineStart, start);
  const isOwnLine = /^\s*$/.test(indent);
  const between = isOwnLine ? `${source.text.includes('\r\n') ? '\r\n' : '\n'}${indent}` : ' ';
  return { start: at, end: at, text: `${separator ? '' : ';'}${between}${member}${separator ?? ''}` };
}
