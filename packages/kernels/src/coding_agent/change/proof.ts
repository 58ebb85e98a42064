import { type Finding, kinship } from '../scan/finding.ts';
import type { Proof, Scope } from './candidate.ts';

const FRESH_SHOWN = 20;
const UNPARSED = 'invalid-syntax';

/**
 * Compares the findings of what was looked at, before and after. Lines move and words beside a change differ, so findings are counted by file,
 * rule and message: none may be more than before, and the one in question must be fewer (all of its rule in the file, where that was asked for).
 */
export function compare(
  finding: Pick<Finding, 'rule' | 'message' | 'file'>,
  before: readonly Finding[],
  after: readonly Finding[],
  scope: Scope,
): Omit<Proof, 'how'> {
  const [then, now] = [countsOf(before), countsOf(after)];
  // A file that could not be parsed was not judged any further: what it hid was there before.
  const hid =
    finding.rule === UNPARSED ? after.filter((one) => one.file === finding.file && one.rule !== UNPARSED) : [];
  const hidden = new Set(hid.map(kinship));
  const fresh = [...now].flatMap(([kin, count]) => (count > (then.get(kin) ?? 0) && !hidden.has(kin) ? [kin] : []));
  const own = kinship(finding);
  const isGone =
    scope === 'finding'
      ? (now.get(own) ?? 0) < (then.get(own) ?? 0)
      : !after.some(({ file, rule }) => file === finding.file && rule === finding.rule);
  return {
    isGone,
    fresh: fresh.slice(0, FRESH_SHOWN).map((kin) => kin.split('\0').join(': ')),
    before: before.length,
    after: after.length,
    revealed: hid.length,
  };
}

function countsOf(findings: readonly Finding[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const finding of findings) counts.set(kinship(finding), (counts.get(kinship(finding)) ?? 0) + 1);
  return counts;
}
