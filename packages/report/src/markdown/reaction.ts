import type { KeptFile, Reaction } from '../model.ts';
import { code, text } from '../text/escape.ts';
import { count } from '../text/units.ts';
import { claim, evidence } from './marks.ts';

/** Frames of a stack that are shown; the file has them all. */
const SHOWN = 5;

/** Limits, memory and the ladder only where there were any; files always, for where a thread hung is the first question. */
export function reaction({ limits, pressure, ladder, record, backlog, kept }: Reaction): string[] {
  return [
    ...listed('Limits', limits),
    ...listed('Memory', pressure),
    ...listed('Beyond the thread', ladder),
    ...listed('Record', record),
    ...listed('Backlog', backlog),
    ...kept.flatMap(file),
  ];
}

function listed(title: string, claims: Reaction['limits']): string[] {
  if (claims.length === 0) return [];
  if (claims.length === 1) return [`- ${title}: ${claim(claims[0]!)}`];
  return [`- ${title}:`, ...claims.map((one) => `  - ${claim(one)}`)];
}

function file({ kind, kernel, file: path, bytes, top, evidence: refs }: KeptFile): string[] {
  const of = kernel === null ? '' : ` of ${code(kernel)}`;
  return [
    `- Kept: ${text(kind.replaceAll('_', ' '))}${of}, ${count(bytes)} bytes in ${code(path)}${evidence(refs)}`,
    ...top.slice(0, SHOWN).map((line) => `  - ${code(line)}`),
    ...(top.length > SHOWN ? [`  - ${count(top.length - SHOWN)} more in the file`] : []),
  ];
}
