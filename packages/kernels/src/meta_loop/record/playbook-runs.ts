import type { PlaybookOutcome } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Book } from './book.ts';

const LIMIT = 200;
const DEADLINE_MS = 2000;
const OUTCOMES: ReadonlySet<unknown> = new Set(['healed', 'not healed', 'made worse', 'refused']);

/**
 * What self_healing remembers of its runs, for those whose records never came: it reports them on a lane that may be down with the supervisor.
 * Best effort: without it, the journal alone counts.
 */
export async function readPlaybookRuns(ctx: KernelContext, book: Book): Promise<void> {
  let runs: unknown;
  try {
    runs = await ctx.call('self_healing', 'history', { limit: LIMIT }, { deadlineMs: DEADLINE_MS });
  } catch (error) {
    ctx.log.debug('self_healing told nothing of its runs', { error: (error as Error).message });
    return;
  }
  if (!Array.isArray(runs) || ctx.signal.aborted) return;
  for (const given of runs as Record<string, unknown>[]) {
    const { run, playbook, incident, target, dryRun, startedWall, startedMono, endedMono, outcome } = given ?? {};
    if (dryRun === true || typeof run !== 'string' || typeof playbook !== 'string' || !OUTCOMES.has(outcome)) continue;
    if (typeof startedWall !== 'number') continue;
    const ms =
      typeof endedMono === 'number' && typeof startedMono === 'number' ? Math.max(0, endedMono - startedMono) : null;
    book.addRun({
      ...{ run, playbook, incident: String(incident ?? ''), target: String(target ?? ''), atMs: startedWall },
      ...{ outcome: outcome as PlaybookOutcome, ms },
    });
  }
}
