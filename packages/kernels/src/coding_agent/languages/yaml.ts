import { parseAllDocuments } from 'yaml';
import type { Edit } from '../change/edit.ts';
import type { Fix, Language, Marked } from './language.ts';

const SPACES = '  ';

/** YAML, all documents of a file, by what the parser says. Nothing is built from them, so aliases cannot blow up. */
export const yaml: Language = {
  examine(text, _file, _options, withFixes) {
    const found: Marked[] = errorsOf(text).map(({ code, message, line, column }) => ({
      remark: { rule: `yaml-${code.toLowerCase().replaceAll('_', '-')}`, message, severity: 'error', line, column },
      fixes: [],
    }));
    const fix = withFixes && found.length > 0 ? tabsAway(text) : undefined;
    // Only where it leaves nothing to be said.
    if (fix) for (const { remark, fixes } of found) if (/tab/.test(`${remark.rule} ${remark.message}`)) fixes.push(fix);
    return found;
  },
};

function errorsOf(text: string): { code: string; message: string; line: number; column: number }[] {
  return parseAllDocuments(text, { prettyErrors: true, logLevel: 'silent' }).flatMap((document) =>
    document.errors.map(({ code, message, linePos }) => ({
      code,
      message: message.split(' at line ')[0]!.split('\n')[0]!,
      line: linePos?.[0].line ?? 1,
      column: linePos?.[0].col ?? 1,
    })),
  );
}

/** Tabs that indent become spaces, when no line mixes both and the file then parses. */
function tabsAway(text: string): Fix | undefined {
  const edits: Edit[] = [];
  for (const match of text.matchAll(/^([ \t]*\t[ \t]*)(?=\S)/gm)) {
    const indent = match[1]!;
    if (indent.includes(' ')) return undefined;
    edits.push({ start: match.index, end: match.index + indent.length, text: SPACES.repeat(indent.length) });
  }
  if (edits.length === 0 || /^ +\S/m.test(text)) return undefined;
  let mended = text;
  for (const { start, end, text: spaces } of [...edits].reverse())
    mended = mended.slice(0, start) + spaces + mended.slice(end);
  if (errorsOf(mended).length > 0) return undefined;
  return {
    strategy: 'syntax:tabs',
    reason: 'Indents by spaces; YAML allows no tabs there.',
    confidence: 0.8,
    edits,
  };
}
