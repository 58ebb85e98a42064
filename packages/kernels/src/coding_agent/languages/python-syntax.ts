import type { Edit } from '../change/edit.ts';
import { lineStarts } from '../change/edit.ts';
import type { Fix } from './language.ts';

const HEADER = /^\s*(?:if|elif|else|for|while|def|class|try|except|finally|with|match|case|async)\b/;
const CLOSING = [')', ']', '}'] as const;
const CONFIDENCE = 0.55;

/**
 * One token near the place where the parser stopped: a colon after a header, a bracket at the end of a line, or one bracket less. Offered only
 * when exactly one of them lets the whole file parse, for ruff and for the error-tolerant parser alike.
 */
export async function syntaxFixes(text: string, line: number, isWhole: (candidate: string) => boolean): Promise<Fix[]> {
  const { parser } = await import('@lezer/python');
  const isClean = (candidate: string): boolean => {
    let errors = 0;
    parser.parse(candidate).iterate({ enter: (node) => void (node.type.isError && errors++) });
    return errors === 0;
  };
  const found: { edit: Edit; words: string }[] = [];
  const seen = new Set<string>();
  for (const { edit, words } of tries(text, line)) {
    const candidate = text.slice(0, edit.start) + edit.text + text.slice(edit.end);
    if (seen.has(candidate)) continue;
    seen.add(candidate);
    if (isWhole(candidate) && isClean(candidate)) found.push({ edit, words });
  }
  if (found.length !== 1) return [];
  const { edit, words } = found[0]!;
  return [
    {
      strategy: 'syntax:one-token',
      reason: `${words}; no other token near lets the file parse.`,
      confidence: CONFIDENCE,
      edits: [edit],
    },
  ];
}

function* tries(text: string, line: number): Generator<{ edit: Edit; words: string }> {
  const starts = lineStarts(text);
  for (const at of [line, line - 1]) {
    const start = starts[at - 1];
    if (start === undefined) continue;
    const whole = text.slice(start, starts[at] ?? text.length);
    const code = whole.replace(/\s*(?:#[^\n"']*)?\r?\n?$/, '');
    if (code === '') continue;
    const end = start + code.length;
    if (HEADER.test(code) && !code.endsWith(':'))
      yield { edit: { start: end, end, text: ':' }, words: `Ends line ${at} with ":"` };
    for (const bracket of CLOSING) {
      yield { edit: { start: end, end, text: bracket }, words: `Closes "${bracket}" at the end of line ${at}` };
      if (code.endsWith(':'))
        yield {
          edit: { start: end - 1, end: end - 1, text: bracket },
          words: `Closes "${bracket}" before the ":" of line ${at}`,
        };
      const extra = code.lastIndexOf(bracket);
      if (extra >= 0)
        yield {
          edit: { start: start + extra, end: start + extra + 1, text: '' },
          words: `Takes away one "${bracket}" of line ${at}`,
        };
    }
  }
}
