import { GraceError } from '@grace/contracts';
import type { Cedar } from '../engine/cedar.ts';

/** Something wrong in a policy, where it stands. */
export interface PolicyProblem {
  file: string;
  line: number;
  column: number;
  message: string;
}

const SHOWN = 20;

/** @throws GraceError `POLICY_INVALID` when there is any; its message has one line for each */
export function refuseProblems(problems: readonly PolicyProblem[]): void {
  if (problems.length === 0) return;
  const lines = problems
    .slice(0, SHOWN)
    .map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`);
  if (problems.length > SHOWN) lines.push(`and ${problems.length - SHOWN} more`);
  throw new GraceError('POLICY_INVALID', lines.join('\n'), { problems: problems.slice(0, SHOWN) });
}

/** Cedar counts bytes; people count lines. `offset`: where the text begins in the file, in characters. */
export function placeOf(text: string, startByte: number, offset = 0): { line: number; column: number } {
  const characters = Buffer.from(text.slice(offset)).subarray(0, startByte).toString('utf8').length;
  const before = text.slice(0, offset + characters);
  const line = before.split('\n').length;
  return { line, column: before.length - before.lastIndexOf('\n') };
}

export function problemIn(file: string, text: string, error: Cedar.DetailedError, offset = 0): PolicyProblem {
  const [source] = error.sourceLocations ?? [];
  const expected = source?.label ? `; ${source.label}` : '';
  const help = error.help ? `; ${error.help}` : '';
  return { file, ...placeOf(text, source?.start ?? 0, offset), message: `${error.message}${expected}${help}` };
}
