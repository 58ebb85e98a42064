import type { Claim, Mark } from '../model.ts';
import { text } from '../text/escape.ts';

export interface Style {
  /** No character above 127. */
  ascii: boolean;
}

/** How truth is shown. Words stand beside the sign everywhere, so nothing depends on seeing it. */
const SIGNS: Readonly<Record<Mark, string>> = { ok: '\u2705', bad: '\u274c', unknown: '\u26a0\ufe0f' };

export function sign(mark: Mark, ascii: boolean): string {
  return ascii ? { ok: '[ok]', bad: '[BROKEN]', unknown: '[unknown]' }[mark] : SIGNS[mark];
}

/** A three-valued answer as a word with its sign. */
export function answer(ok: boolean | null, ascii: boolean): string {
  if (ok === null) return `${sign('unknown', ascii)}${ascii ? '' : ' unknown'}`;
  if (ascii) return ok ? '[ok]' : '[NOT OK]';
  return ok ? `${SIGNS.ok} ok` : `${SIGNS.bad} not ok`;
}

/** ` (#12, #14)`, or nothing. */
export function evidence(refs: readonly string[]): string {
  return refs.length === 0 ? '' : ` (${refs.map(text).join(', ')})`;
}

export function claim({ text: sentence, evidence: refs }: Claim): string {
  return `${text(sentence)}${evidence(refs)}`;
}
