import type { PlaybookOutcome } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { endOf, keyOfRun, type Outcome } from '../outcomes/outcome.ts';

/** A run as self_healing's verb `history` shows it, as far as it is read here. */
interface PastRun {
  run: string;
  playbook: string;
  incident: string;
  startedWall: number;
  startedMono: number;
  endedMono: number | null;
  outcome: PlaybookOutcome | null;
  detail: string;
}

const DEADLINE_MS = 5000;
/** Asked for more and more until what comes is known already; self_healing keeps no more than the last. */
const PAGES = [100, 500, 2000];

/**
 * The runs that self_healing remembers and the journal did not tell of here.
 * @param isKnown whether this run was taken already
 */
export async function readHistory(ctx: KernelContext, isKnown: (key: string) => boolean): Promise<Outcome[]> {
  let found: Outcome[] = [];
  for (const limit of PAGES) {
    const runs = (await ctx.call('self_healing', 'history', { limit }, { deadlineMs: DEADLINE_MS })) as PastRun[];
    found = runs.flatMap((run) => outcomeOf(run) ?? []);
    const oldest = found.at(-1);
    if (runs.length < limit || (oldest && isKnown(oldest.key))) break;
  }
  return found.filter(({ key }) => !isKnown(key));
}

function outcomeOf(past: PastRun): Outcome | undefined {
  const { run, playbook, incident, startedWall, startedMono, endedMono, outcome, detail } = past;
  const end = outcome === null ? null : endOf(outcome, detail);
  if (end === null || incident === '') return undefined;
  // Over a restart of the machine the clock that times are taken by begins anew.
  const tookMs = Math.max(0, (endedMono ?? startedMono) - startedMono);
  return {
    key: keyOfRun(run),
    playbook,
    signature: null,
    incident,
    end,
    tookMs,
    atMs: startedWall + tookMs,
    by: 'self_healing',
  };
}
