import type { AnyRecord, Incident } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { readHistory } from './history.ts';
import type { Books, Intake } from './intake.ts';
import { isHeard } from './take.ts';

const DEADLINE_MS = 5000;
const PAGE = 1000;
/** Read again below the cursor: what comes by several subscriptions may have overtaken each other. */
const OVERLAP = 500;
/** Of a journal that is met for the first time: so much of its end. */
const FIRST_MAX = 50_000;
/** Incidents that are asked for because a run names them and nothing tells their kind. */
const ASKED_MAX = 20;

/**
 * Reads from the journal what was said while nobody listened here. Returns how many records were of interest.
 * @throws GraceError when the supervisor does not answer; what was read by then is taken
 */
export async function readJournal(ctx: KernelContext, intake: Intake): Promise<number> {
  const read = async (after: number, limit: number): Promise<{ records: AnyRecord[]; last: number; end: number }> =>
    (await ctx.supervisor.command('journal', { after, limit }, DEADLINE_MS)) as never;
  const { end } = await read(0, 1);
  const from = intake.cursor();
  // A cursor past the end is one of an earlier journal of this home.
  let after = from === null || from > end ? Math.max(0, end - FIRST_MAX) : Math.max(0, from - OVERLAP);
  let found = 0;
  while (after < end && !ctx.signal.aborted) {
    const page = await read(after, PAGE);
    if (ctx.signal.aborted || page.last <= after) break;
    const heard = page.records.filter(isHeard);
    intake.write(heard, page.last);
    found += heard.length;
    after = page.last;
  }
  return found;
}

/**
 * Takes the runs that self_healing remembers and nothing told of. Returns how many.
 * @throws GraceError when it does not answer
 */
export async function readRuns(ctx: KernelContext, { outcomes, handwork }: Books): Promise<number> {
  const runs = await readHistory(ctx, outcomes.has);
  if (ctx.signal.aborted) return 0;
  if (runs.length > 0) {
    ctx.store.transaction(() => {
      for (const run of runs) outcomes.take(run, run.incident === null ? null : handwork.kindOf(run.incident), true);
      outcomes.prune();
    });
  }
  for (const id of outcomes.unresolved(ASKED_MAX)) {
    const kind = await kindOf(ctx, id);
    if (ctx.signal.aborted) break;
    if (kind !== null) outcomes.resolve(id, kind);
  }
  return runs.length;
}

async function kindOf(ctx: KernelContext, id: string): Promise<string | null> {
  try {
    const incidents = (await ctx.supervisor.command('incident', { id }, DEADLINE_MS)) as Incident[];
    return incidents.find((incident) => incident.id === id)?.kind ?? null;
  } catch (error) {
    ctx.log.debug('the kind of an incident is not known', { incident: id, error: (error as Error).message });
    return null;
  }
}
