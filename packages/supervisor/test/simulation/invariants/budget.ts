import type { Environment } from '../environment.ts';
import { type Invariant, Violation } from './invariant.ts';

/** What costs nothing: it was not the kernel's doing. docs/architecture/lifecycle.md, Restarts. */
const FREE = new Set(['cell', 'manual', 'isolate', 'pause', 'quarantine']);

/** Never more restarts of a kernel for one cause within its window than its budget, and none after it was given up, unless somebody asks. */
export function budget(env: Environment): Invariant {
  const spent = new Map<string, number[]>();
  const givenUp = new Set<string>();
  return {
    event(event) {
      if (!('by' in event) || event.t === 'throttle' || event.t === 'pause' || event.t === 'quarantine') return;
      givenUp.delete(event.kernel);
      if (event.by === 'self_healing' || event.t === 'isolate') return;
      for (const key of spent.keys()) if (key.startsWith(`${event.kernel} `)) spent.delete(key);
    },
    command(command) {
      if (command.do === 'load' && givenUp.has(command.kernel))
        throw new Violation(
          'given_up_but_restarted',
          env.now,
          `${command.kernel} is started again although it was given up and nobody asked`,
        );
      if (command.do !== 'journal') return;
      const { draft } = command;
      if (draft.name === 'kernel:quarantine') givenUp.add(draft.kernel!);
      if (draft.name !== 'kernel:restart' || FREE.has(draft.data.cause)) return;
      const { budget: allowed, windowMs } = env.state.kernels[draft.kernel!]!.manifest.restart;
      const key = `${draft.kernel} ${draft.data.cause}`;
      const recent = (spent.get(key) ?? []).filter((at) => at > env.now - windowMs);
      recent.push(env.now);
      spent.set(key, recent);
      if (recent.length > allowed)
        throw new Violation(
          'budget_exceeded',
          env.now,
          `${draft.kernel} is restarted for the ${recent.length}th time within ${windowMs} ms because of ${draft.data.cause}; its budget is ${allowed}`,
        );
    },
  };
}
