import { join } from 'node:path';
import { HOME } from '@grace/contracts';

/** The segments of the audit record, in the state of its kernel (docs/ledger.md). */
export function ledgerFolder(home: string): string {
  return join(home, HOME.state, 'immutable_log', 'ledger');
}
