import { GraceError } from '@grace/contracts';
import type { Command } from '../core/events.ts';
import type { EvidenceKeeper } from '../evidence/keeper.ts';

/** Orders under way at most: evidence is kept of the first of many, which are alike. */
const MAX_UNDER_WAY = 8;

/** Carries out the core's orders to keep evidence. Nobody waits for it, and what cannot be kept is said, not thrown. */
export function createEvidenceOrders(
  keeper: EvidenceKeeper,
  failed: (what: string) => void,
): (order: Extract<Command, { do: 'evidence' }>) => void {
  let underWay = 0;
  const keep = async (order: Extract<Command, { do: 'evidence' }>): Promise<unknown> => {
    const { kernel, cell, incarnation, incident, correlation, pid, error } = order;
    const of = { kernel: kernel ?? cell, cell, incarnation, incident, ...(correlation ? { correlation } : {}) };
    if (order.kind === 'cell_output') return await keeper.cellOutput(cell, pid ?? 0, incident);
    if (order.kind === 'error') return error && (await keeper.error(of, error));
    return await keeper.stack(of);
  };
  return (order) => {
    if (underWay >= MAX_UNDER_WAY) return failed(`evidence of ${order.kernel ?? order.cell}: too much is under way`);
    underWay++;
    keep(order)
      .catch((error) => {
        // A thread that ended while it was asked has answered by that.
        const gone =
          error instanceof GraceError && ['KERNEL_GONE', 'CELL_GONE', 'CONNECTION_CLOSED'].includes(error.code);
        if (!gone) failed(`evidence of ${order.kernel ?? order.cell}: ${(error as Error).message}`);
      })
      .finally(() => underWay--);
  };
}
