import type { Environment } from '../environment.ts';
import { type Invariant, Violation } from './invariant.ts';

/** What a stop may take beyond its own timeout, ms: the last processes are killed, and that is reported. */
const SLACK_MS = 3000;
/** What a supervisor that takes over gives a stop that was under way, ms. As in src/core/restore.ts. */
const RESTORED_STOP_MS = 8000;

/** A stop ends within its timeout, whatever hangs; nothing is started any more, and nothing is left. */
export function stop(env: Environment): Invariant {
  let until = Infinity;
  let recorded = false;
  return {
    event(event) {
      if (event.t === 'stop' && until === Infinity) until = env.now + event.timeoutMs + SLACK_MS;
    },
    command(command) {
      if (command.do === 'journal' && command.draft.name === 'system:stop') recorded = true;
      if (until === Infinity) return;
      if (command.do === 'load' || command.do === 'start' || command.do === 'spawn-cell')
        throw new Violation('order_after_stop', env.now, `"${command.do}" is ordered although the system stops`);
      if (command.do !== 'finish') return;
      const left = [...env.cells.values()].filter((cell) => cell.alive && cell.known).map((cell) => cell.id);
      if (left.length > 0)
        throw new Violation('left_behind', env.now, `the stop is finished, and ${left.join(', ')} still live`);
    },
    beat() {
      if (env.now > until && !env.finished && env.supervisor !== null) {
        const up = Object.entries(env.state.kernels)
          .filter(([, { state }]) => state !== 'stopped')
          .map(([id, { state }]) => `${id} ${state}`);
        const cells = Object.entries(env.state.cells)
          .filter(([, { state }]) => state !== 'down')
          .map(([id, { state }]) => `${id} ${state}`);
        throw new Violation(
          'stop_not_finished',
          env.now,
          `the stop should have ended at ${until - SLACK_MS} ms; left: ${[...up, ...cells].join(', ')}`,
        );
      }
    },
    restored() {
      if (until !== Infinity) until = recorded ? env.now + RESTORED_STOP_MS + SLACK_MS : Infinity;
    },
  };
}
