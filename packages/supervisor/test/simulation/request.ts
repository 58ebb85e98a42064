import type { CoreEvent } from '../../src/core/events.ts';
import type { SimCell } from './cell.ts';
import type { Environment } from './environment.ts';

export type Answered = (event: CoreEvent | null) => void;

/**
 * A request to a cell with a deadline. A connection that is not there, or breaks, is no outcome: then only the core's own deadlines help.
 * Requests arrive in the order in which they were sent, and so do answers; but who is asked later may answer sooner.
 */
export function ask(
  env: Environment,
  id: string,
  deadlineMs: number,
  request: { act(cell: SimCell, answered: Answered): void; late(): CoreEvent | null },
): void {
  const cell = env.cells.get(id);
  const connection = cell?.connection;
  if (!cell || connection === null || connection === undefined) return;
  let settled = false;
  const settle = (event: CoreEvent | null): void => {
    // What was sent before the process ended still arrives.
    if (settled || cell.connection !== connection) return;
    settled = true;
    if (event) env.emit(event);
  };
  env.toCell(cell, () => request.act(cell, (event) => cell.receive(() => env.fromCell(cell, () => settle(event)))));
  env.later(deadlineMs, () => {
    if (!settled && cell.alive && cell.connection === connection) settle(request.late());
  });
}
