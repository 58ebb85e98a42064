/** Names that are never looked into, whatever ignore files say. */
export const SKIPPED_FOLDERS: ReadonlySet<string> = new Set([
  'node_modules',
  'dist',
  'build',
  'out',
  'coverage',
  'venv',
  '__pycache__',
  'target',
]);

/** Files whose lines say what is left out, as git reads them. */
export const IGNORE_FILES: readonly string[] = ['.gitignore', '.ignore', '.graceignore'];

/** Longer patterns are left out: no name matches them, and each costs time for every name. */
const PATTERN_LENGTH = 256;
const PATTERNS_MAX = 2000;

/** One character of a name: itself, any, one of a set, or any number of any. */
type Piece = string | typeof ANY | typeof STAR | { has: (char: string) => boolean };
const ANY = Symbol('any');
const STAR = Symbol('star');
/** Any number of folders. */
const DEEP = Symbol('deep');

export interface Rule {
  segments: readonly (readonly Piece[] | typeof DEEP)[];
  negated: boolean;
  foldersOnly: boolean;
}

/**
 * Lines of an ignore file as rules on paths relative to its folder. Source: gitignore(5). No regular expressions: a hostile pattern would make
 * them search for ever; this takes at most the product of the lengths of pattern and path.
 */
export function readIgnore(text: string): Rule[] {
  const rules: Rule[] = [];
  for (const raw of text.split(/\r?\n/).slice(0, PATTERNS_MAX)) {
    const line = withoutTrailingSpaces(raw);
    if (line === '' || line.startsWith('#') || line.length > PATTERN_LENGTH) continue;
    const negated = line.startsWith('!');
    const body = negated ? line.slice(1) : line;
    const foldersOnly = body.endsWith('/');
    const pattern = foldersOnly ? body.slice(0, -1) : body;
    if (pattern === '' || pattern === '/') continue;
    // A slash before the end ties the pattern to the folder of the file; without one it holds at any depth.
    const parts = pattern.replace(/^\//, '').split('/');
    const segments = parts.map((part, i) => (part === '**' && (parts.length > 1 || i > 0) ? DEEP : piecesOf(part)));
    rules.push({ segments: pattern.includes('/') ? segments : [DEEP, ...segments], negated, foldersOnly });
  }
  return rules;
}

/** What the last rule that matches says; undefined: none does. */
export function verdict(rules: readonly Rule[], path: string, isFolder: boolean): boolean | undefined {
  const names = path.split('/');
  for (let i = rules.length - 1; i >= 0; i--) {
    const { segments, negated, foldersOnly } = rules[i]!;
    if ((isFolder || !foldersOnly) && matchesPath(segments, names)) return !negated;
  }
  return undefined;
}

function matchesPath(segments: Rule['segments'], names: readonly string[]): boolean {
  // reached[n]: the segments so far can stand for the first n names.
  let reached = names.map(() => false);
  reached = [true, ...reached];
  segments.forEach((segment, at) => {
    const next = reached.map(() => false);
    if (segment === DEEP) {
      // At the end it stands for what is inside a folder, not for the folder itself.
      const least = at === segments.length - 1 ? 1 : 0;
      const first = reached.indexOf(true);
      if (first >= 0) for (let n = first + least; n < next.length; n++) next[n] = true;
    } else
      names.forEach((name, n) => {
        if (reached[n] && matchesName(segment, name)) next[n + 1] = true;
      });
    reached = next;
  });
  return reached[names.length]!;
}

/** Greedy; where it fails, the last star takes one character more. */
function matchesName(pieces: readonly Piece[], name: string): boolean {
  let [p, n] = [0, 0];
  let star = -1;
  let mark = 0;
  while (n < name.length) {
    const piece = pieces[p];
    if (piece === STAR) {
      star = p++;
      mark = n;
    } else if (piece !== undefined && matchesCharacter(piece, name[n]!)) {
      p++;
      n++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++mark;
    } else return false;
  }
  while (pieces[p] === STAR) p++;
  return p === pieces.length;
}

function matchesCharacter(piece: Piece, char: string): boolean {
  if (piece === ANY) return true;
  return typeof piece === 'object' ? piece.has(char) : piece === char;
}

function piecesOf(part: string): Piece[] {
  const pieces: Piece[] = [];
  for (let i = 0; i < part.length; i++) {
    const char = part[i]!;
    if (char === '*') {
      if (pieces.at(-1) !== STAR) pieces.push(STAR);
    } else if (char === '?') pieces.push(ANY);
    else if (char === '[') {
      const set = setAt(part, i);
      if (!set) return [NEVER];
      pieces.push(set.piece);
      i = set.end;
    } else if (char === '\\' && i + 1 < part.length) pieces.push(part[++i]!);
    else pieces.push(char);
  }
  return pieces;
}

/** A bracket that is never closed matches nothing, as with git. */
const NEVER: Piece = { has: () => false };

function setAt(part: string, start: number): { piece: Piece; end: number } | undefined {
  const isNegated = part[start + 1] === '!' || part[start + 1] === '^';
  const first = start + (isNegated ? 2 : 1);
  // Directly behind the opening one, a closing bracket is one of the set.
  const end = part.indexOf(']', first + 1);
  if (end < 0) return undefined;
  const body = part.slice(first, end);
  const ranges: [string, string][] = [];
  for (let i = 0; i < body.length; i++)
    if (body[i + 1] === '-' && i + 2 < body.length) {
      ranges.push([body[i]!, body[i + 2]!]);
      i += 2;
    } else ranges.push([body[i]!, body[i]!]);
  const isIn = (char: string): boolean => ranges.some(([from, to]) => char >= from && char <= to);
  return { piece: { has: (char) => isIn(char) !== isNegated }, end };
}

function withoutTrailingSpaces(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === ' ' && line[end - 2] !== '\\') end--;
  return line.slice(0, end);
}
