import type { SimCell } from '../cell.ts';
import type { Environment } from '../environment.ts';
import type { SimThread } from '../thread.ts';
import { type Invariant, Violation } from './invariant.ts';

/** No two lives of a kernel or of a cell at once, and each life has a greater number than the one before. */
export function identity(env: Environment): Invariant {
  const threads = new Map<string, SimThread>();
  const cells = new Map<string, SimCell>();
  const ordered = new Map<string, { incarnation: number; at: number }>();
  const adopted = new Map<string, number>();
  return {
    event(event) {
      if (event.t === 'cell-adopted') adopted.set(event.cell, env.now);
    },
    command(command) {
      if (command.do !== 'load') return;
      const before = ordered.get(command.kernel) ?? { incarnation: 0, at: 0 };
      // A cell that dialled again is asked once more for what it may have been asked already.
      const again = command.incarnation === before.incarnation && before.at <= (adopted.get(command.cell) ?? -1);
      if (command.incarnation <= before.incarnation && !again)
        throw new Violation(
          'incarnation_not_growing',
          env.now,
          `${command.kernel} is loaded as ${command.incarnation} after ${before.incarnation}`,
        );
      ordered.set(command.kernel, { incarnation: command.incarnation, at: env.now });
      const living = threads.get(command.kernel);
      if (living?.alive && !(again && living.incarnation === command.incarnation))
        throw new Violation(
          'two_alive',
          env.now,
          `${command.kernel} is to be loaded while its incarnation ${living.incarnation} lives`,
        );
    },
    threadBorn(thread) {
      const { id } = thread.manifest;
      const living = threads.get(id);
      if (living?.alive)
        throw new Violation(
          'two_alive',
          env.now,
          `incarnations ${living.incarnation} and ${thread.incarnation} of ${id} live at once`,
        );
      threads.set(id, thread);
    },
    cellBorn(cell) {
      const before = cells.get(cell.id);
      // One that no supervisor ever knew holds nothing, and ends when it dials.
      if (before?.alive && (before.threads.size > 0 || before.connection !== null))
        throw new Violation(
          'two_alive',
          env.now,
          `two processes of cell ${cell.id} live at once: ${before.incarnation} and ${cell.incarnation}`,
        );
      if (before && cell.incarnation <= before.incarnation)
        throw new Violation(
          'incarnation_not_growing',
          env.now,
          `cell ${cell.id} is ${cell.incarnation} after ${before.incarnation}`,
        );
      cells.set(cell.id, cell);
    },
  };
}
