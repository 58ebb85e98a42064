import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { type ErrorCode, GraceError } from '../errors.ts';
import { locate, type Path, showPath } from './locate.ts';
import { explain, type Problem } from './problems.ts';

/** A checked document and where in the text each of its values stands. */
export interface ReadDocument<T> {
  value: T;
  /** `file:line:col` of a value, or of the nearest one above it that is there. */
  at(path: Path): string;
}

/** Problems listed in one message; more than these say the same thing again. */
const MAX_PROBLEMS = 20;

/**
 * Reads a YAML text against a schema. An empty text is an empty map.
 * @param file the name that messages give
 * @throws GraceError `code` (default `CONFIG_INVALID`); its message lists every problem, one a line, as
 *   `file:line:col: path: expected ..., got ... (did you mean "x"?)`; `details.problems` has the same as data
 */
export function readYaml<S extends z.ZodType>(
  text: string,
  file: string,
  schema: S,
  code: ErrorCode = 'CONFIG_INVALID',
): z.output<S> {
  return readDocument(text, file, schema, code).value;
}

/** As `readYaml`, for callers that check more than a schema can and want to name the line too. */
export function readDocument<S extends z.ZodType>(
  text: string,
  file: string,
  schema: S,
  code: ErrorCode = 'CONFIG_INVALID',
): ReadDocument<z.output<S>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number): { line: number; col: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), col: Math.max(1, col) };
  };
  const fail = (problems: (Problem & { offset?: number })[]): never => {
    const placed = problems
      .map(({ path, aboutKey, message, offset }) => ({
        ...place(offset ?? locate(document, path, aboutKey)),
        path: showPath(path),
        message,
      }))
      .sort((a, b) => a.line - b.line || a.col - b.col);
    const shown = placed.slice(0, MAX_PROBLEMS).map(({ line, col, path, message }) => {
      return `${file}:${line}:${col}: ${path === '' ? '' : `${path}: `}${message}`;
    });
    if (placed.length > MAX_PROBLEMS) shown.push(`and ${placed.length - MAX_PROBLEMS} more`);
    throw new GraceError(code, shown.join('\n'), { file, problems: placed });
  };

  const syntax = [...document.errors, ...document.warnings];
  if (syntax.length > 0) {
    fail(
      syntax.map((error) => ({
        path: [],
        aboutKey: false,
        message: error.code === 'MULTIPLE_DOCS' ? 'expected one YAML document, got several' : error.message,
        offset: error.pos[0],
      })),
    );
  }
  let raw: unknown;
  try {
    raw = document.toJS() ?? {};
  } catch (error) {
    fail([{ path: [], aboutKey: false, message: (error as Error).message }]);
  }
  const { value, problems } = explain(schema, raw);
  if (problems.length > 0) fail(problems);
  return {
    value: value as z.output<S>,
    at: (path) => {
      const { line, col } = place(locate(document, path, false));
      return `${file}:${line}:${col}`;
    },
  };
}
