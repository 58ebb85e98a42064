import type { KernelContext } from '@grace/kernel-sdk';
import { SAFE_RULES } from './languages/safe-rules.ts';
import type { Finding } from './scan/finding.ts';
import type { Task } from './tasks/task.ts';
import { SERVICE_FIXES } from './typescript/service-fixes.ts';

/** Events that wait for the bus; further ones are counted and left out: who wants all asks `scan` for its pages. */
const WAITING_MAX = 200;
const DEADLINE_MS = 2000;
/** Beside those of ruff and the language service: two codemods and five repairs of syntax. */
const OWN_PATTERNS = 7;

/** Tells on the bus what was found and what became of tasks, without ever holding up the work. */
export function createTeller(ctx: KernelContext) {
  let waiting = 0;
  let untold = 0;
  const tell = (name: string, payload: unknown): void => {
    if (waiting >= WAITING_MAX || ctx.signal.aborted) {
      untold++;
      return;
    }
    waiting++;
    void ctx.bus
      .publish(`kernel.coding_agent.event.${name}`, payload, { deadlineMs: DEADLINE_MS })
      .catch(() => untold++)
      .finally(() => waiting--);
  };
  return {
    finding: (scan: string, root: string, finding: Finding): void => tell('finding', { scan, root, ...finding }),
    task: ({ id, state, root, finding, change, error }: Task): void =>
      tell('task', {
        id,
        state,
        root,
        file: finding.file,
        rule: finding.rule,
        strategy: change?.strategy ?? null,
        error,
      }),
    /** Ways to mend that are known. */
    patterns: Object.keys(SAFE_RULES).length + Object.keys(SERVICE_FIXES).length + OWN_PATTERNS,
    untold: () => untold,
  };
}
