import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Audit, AuditEntry } from './access/audit.ts';
import type { AccessDesk } from './access/desk.ts';
import type { Holders } from './holders.ts';
import type { Leases } from './leases.ts';
import type { Settings } from './settings.ts';
import type { Vault } from './vault/vault.ts';

export interface Parts {
  ctx: KernelContext;
  settings: Settings;
  vault: Vault;
  desk: AccessDesk;
  leases: Leases;
  holders: Holders;
  audit: Audit;
  nowMs: () => number;
}

/** Runs what a principal asked for; a refusal is put on the record too. */
export async function recorded<T>(
  { ctx, audit }: Parts,
  entry: Omit<AuditEntry, 'outcome'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    try {
      audit.refuse({ ...entry, outcome: error instanceof GraceError ? error.code : 'INTERNAL' });
    } catch (why) {
      ctx.log.error('a refusal could not be put on the record', { ...entry, error: String(why) });
    }
    throw error;
  }
}

/** Before anything is checked: an input that is refused may hold a secret all the same. */
export function knowGiven(ctx: KernelContext, input: unknown): void {
  if (input === null || typeof input !== 'object') return;
  const { value, passphrase } = input as { value?: unknown; passphrase?: unknown };
  for (const one of [value, passphrase]) if (typeof one === 'string') ctx.secrets.know(one);
}
