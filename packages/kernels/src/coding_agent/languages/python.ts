import { createRequire } from 'node:module';
import type { Diagnostic, Workspace } from '@astral-sh/ruff-wasm-nodejs';
import { optimisedLater } from '@grace/kernel-sdk/wasm';
import { applyEdits, type Edit, lineStarts, offsetAt } from '../change/edit.ts';
import type { Fix, Language, Marked } from './language.ts';
import { syntaxFixes } from './python-syntax.ts';
import { SAFE_RULES } from './safe-rules.ts';

type Ruff = typeof import('@astral-sh/ruff-wasm-nodejs');

/** Positions count UTF-16 units, as strings here do. */
const UTF16 = 1;
const SYNTAX = 'invalid-syntax';

let ruff: Ruff | undefined;
const workspaces = new Map<string, Workspace>();

/** Python by ruff. Loaded at first use: about 100 ms and 60 MB with its first file. */
export const python: Language = {
  async examine(text, file, { ruff: select }, withFixes) {
    const diagnostics = check(text, select);
    const starts = lineStarts(text);
    const marked: Marked[] = diagnostics.map((diagnostic) => ({
      remark: {
        rule: diagnostic.code ?? SYNTAX,
        message: diagnostic.message,
        severity: severityOf(diagnostic),
        line: diagnostic.start_location.row,
        column: diagnostic.start_location.column,
      },
      fixes: withFixes ? fixesOf(diagnostic, text, starts, file) : [],
    }));
    const broken = marked.find(({ remark }) => remark.rule === SYNTAX);
    if (broken && withFixes) {
      const isWhole = (candidate: string): boolean => check(candidate, []).every(({ code }) => code !== SYNTAX);
      broken.fixes.push(...(await syntaxFixes(text, broken.remark.line, isWhole)));
    }
    return marked;
  },
};

function check(text: string, select: readonly string[]): Diagnostic[] {
  const key = select.join(' ');
  try {
    ruff ??= optimisedLater(() => createRequire(import.meta.url)('@astral-sh/ruff-wasm-nodejs') as Ruff);
    const workspace = workspaces.get(key) ?? new ruff.Workspace({ lint: { select } }, UTF16);
    workspaces.set(key, workspace);
    return workspace.check(text) as Diagnostic[];
  } catch (error) {
    // After a trap the instance answers nothing any more: the next use gets another.
    const require = createRequire(import.meta.url);
    delete require.cache[require.resolve('@astral-sh/ruff-wasm-nodejs')];
    ruff = undefined;
    workspaces.clear();
    throw new Error(`ruff broke: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function severityOf({ code }: Diagnostic): 'error' | 'warning' {
  return code === null || code === SYNTAX || /^(?:E9|F63|F7|F82)/.test(code) ? 'error' : 'warning';
}

function fixesOf({ code, fix, message }: Diagnostic, text: string, starts: number[], file: string): Fix[] {
  if (!fix || code === null || !Object.hasOwn(SAFE_RULES, code)) return [];
  // What a package's own file imports is what it offers, used in it or not.
  if (code === 'F401' && /(?:^|\/)__init__\.pyi?$/.test(file)) return [];
  const edits: Edit[] = fix.edits.map(({ location, end_location, content }) => ({
    start: offsetAt(starts, location.row, location.column, text.length),
    end: offsetAt(starts, end_location.row, end_location.column, text.length),
    text: content ?? '',
  }));
  // A comment would go with what is taken away.
  const comments = (part: string): number => part.split('#').length - 1;
  if (edits.some(({ start, end, text: content }) => comments(text.slice(start, end)) > comments(content))) return [];
  try {
    applyEdits(text, edits);
  } catch {
    return [];
  }
  return [{ strategy: `ruff:${code}`, reason: `${fix.message ?? message}.`, confidence: SAFE_RULES[code]!, edits }];
}
