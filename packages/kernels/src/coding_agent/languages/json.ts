import { lineStarts, placeAt } from '../change/edit.ts';
import type { Fix, Language, Marked } from './language.ts';

type Expect = 'value' | 'key' | 'colon' | 'comma' | 'end';

const TOKEN =
  /[ \t\r\n]+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|[{}[\],:]|[^\s{}[\],:"]+|[\s\S]/y;
const SCALAR = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;
/** Configuration files that allow comments and trailing commas by custom. */
const RELAXED = /(?:^|\/)(?:[tj]sconfig(?:\.[^/]*)?\.json|[^/]*\.jsonc)$/;
const MARKS_MAX = 1000;

/**
 * JSON. What the engine's own parser takes has no remarks; else a walk over the tokens tells every comma that is one too many or missing, and
 * the first thing it cannot go on behind.
 */
export const json: Language = {
  examine(text, file, _options, withFixes) {
    if (parses(text)) return [];
    const isRelaxed = RELAXED.test(file);
    return marks(text, isRelaxed).map(({ fixes, ...rest }) => ({ ...rest, fixes: withFixes ? fixes : [] }));
  },
};

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function marks(text: string, isRelaxed: boolean): Marked[] {
  const starts = lineStarts(text);
  const found: Marked[] = [];
  const say = (rule: string, message: string, offset: number, fixes: Fix[] = []): void => {
    if (found.length < MARKS_MAX)
      found.push({ remark: { rule, message, severity: 'error', ...placeAt(starts, offset) }, fixes });
  };
  const open: ('{' | '[')[] = [];
  let expect: Expect = 'value';
  /** Where the last token that is no space or comment was. */
  let last = { text: '', start: 0, end: 0 };
  const after = (): Expect => (open.length === 0 ? 'end' : 'comma');

  TOKEN.lastIndex = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  if (TOKEN.lastIndex === 1)
    say('json-byte-order-mark', 'a byte order mark stands before the text', 0, [
      fix('byte-order-mark', 'Removes the byte order mark.', 0.95, 0, 1, ''),
    ]);
  for (let match = TOKEN.exec(text); match && match[0] !== ''; match = TOKEN.exec(text)) {
    const token = match[0];
    const start = match.index;
    if (/^[ \t\r\n]/.test(token)) continue;
    if (/^\/[/*]/.test(token) && token.length > 1) {
      if (!isRelaxed) say('json-comment', 'a comment, which JSON has not', start);
      continue;
    }
    // A quote alone begins a string that never ends as one.
    const isString = token.length > 1 && token.startsWith('"');
    const isValue = token === '{' || token === '[' || isString || SCALAR.test(token);
    const isClosing = token === '}' || token === ']';
    if (expect === 'comma' && isValue && (open.at(-1) === '[' || isString)) {
      say('json-missing-comma', 'a comma is missing', last.end, [
        fix('missing-comma', 'Inserts the missing comma.', 0.8, last.end, last.end, ','),
      ]);
      expect = open.at(-1) === '{' ? 'key' : 'value';
    }
    if (isClosing && last.text === ',' && (open.at(-1) === '{') === (token === '}') && open.length > 0) {
      if (!isRelaxed)
        say('json-trailing-comma', `a comma before "${token}"`, last.start, [
          fix('trailing-comma', 'Removes the trailing comma.', 0.95, last.start, last.end, ''),
        ]);
      expect = 'comma';
    }
    const isFirst = last.text === '{' || last.text === '[';
    if (isClosing && open.at(-1) === (token === '}' ? '{' : '[') && (expect === 'comma' || isFirst)) {
      open.pop();
      expect = after();
    } else if (expect === 'value' && isValue) {
      if (token === '{' || token === '[') {
        open.push(token);
        expect = token === '{' ? 'key' : 'value';
      } else expect = after();
    } else if (expect === 'key' && isString) expect = 'colon';
    else if (expect === 'colon' && token === ':') expect = 'value';
    else if (expect === 'comma' && token === ',') expect = open.at(-1) === '{' ? 'key' : 'value';
    else {
      say('json-syntax', `expected ${wanted(expect, open.at(-1))}, got ${JSON.stringify(token.slice(0, 20))}`, start);
      return found;
    }
    last = { text: token, start, end: start + token.length };
  }
  if (expect !== 'end')
    say('json-syntax', `expected ${wanted(expect, open.at(-1))}, got the end of the file`, text.length);
  return found;
}

function wanted(expect: Expect, open: string | undefined): string {
  if (expect === 'comma') return `"," or "${open === '{' ? '}' : ']'}"`;
  return { value: 'a value', key: 'a name in quotes', colon: '":"', end: 'the end of the file' }[expect];
}

function fix(strategy: string, reason: string, confidence: number, start: number, end: number, text: string): Fix {
  return { strategy: `syntax:${strategy}`, reason, confidence, edits: [{ start, end, text }] };
}
