import { createHash } from 'node:crypto';
import type { SystemPlan } from '@grace/contracts';

/** SHA-256 of a plan, hex: whether a supervisor that comes back is to run what runs. */
export function digestOf(plan: SystemPlan): string {
  return createHash('sha256').update(JSON.stringify(plan)).digest('hex');
}
