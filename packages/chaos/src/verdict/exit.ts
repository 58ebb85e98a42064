import { EXIT, type RunResult, type WaveResult } from '@grace/contracts';
import type { RecordSet } from './record-set.ts';

/**
 * One code for the whole run. What is left behind outranks everything, since it harms whoever comes next; then the interruption; then
 * broken before inconclusive, and inconclusive is never a pass.
 */
export function exitOf(set: RecordSet, waves: readonly WaveResult[], totals: RunResult['totals']): RunResult['exit'] {
  const { end } = set;
  if (end && !end.data.cleanup.ok)
    return { code: EXIT.cleanupIncomplete, reason: `Left behind: ${end.data.cleanup.left.join(', ')} (#${end.seq}).` };
  if (end?.data.interrupted) return { code: EXIT.interrupted, reason: `The run was interrupted (#${end.seq}).` };
  const broken = brokenBy(waves, totals);
  if (broken.length > 0) return { code: EXIT.broken, reason: broken.join(' ') };
  const open = openIn(set, waves, totals);
  if (open.length > 0) return { code: EXIT.inconclusive, reason: open.join(' ') };
  return { code: EXIT.held, reason: `All ${totals.held} trials held.` };
}

function brokenBy(waves: readonly WaveResult[], totals: RunResult['totals']): string[] {
  const reasons: string[] = [];
  if (totals.broken > 0) reasons.push(`${totals.broken} trials broken.`);
  if (totals.falseRestarts > 0) reasons.push(`${totals.falseRestarts} restarts of untouched kernels.`);
  if (totals.lostMessages > 0) reasons.push(`${totals.lostMessages} accepted messages lost.`);
  for (const { n, steadyStateAfter } of waves) {
    if (steadyStateAfter === false) reasons.push(`The system was not back in its steady state after wave ${n}.`);
  }
  if (totals.kernelsFinal < totals.kernelsTotal)
    reasons.push(`Only ${totals.kernelsFinal} of ${totals.kernelsTotal} kernels run at the end.`);
  return reasons;
}

function openIn(set: RecordSet, waves: readonly WaveResult[], totals: RunResult['totals']): string[] {
  const reasons: string[] = [];
  if (totals.inconclusive > 0) reasons.push(`${totals.inconclusive} trials inconclusive.`);
  for (const { n, skipped } of waves) if (skipped !== null) reasons.push(`Wave ${n} was not run whole: ${skipped}.`);
  for (const { n, steadyStateAfter, trials } of waves) {
    if (steadyStateAfter === null && trials.length > 0)
      reasons.push(`The steady state after wave ${n} was not established.`);
  }
  if (!set.end) reasons.push('The run did not end properly.');
  if (totals.held + totals.broken + totals.inconclusive === 0) reasons.push('Nothing was tested.');
  return reasons;
}
