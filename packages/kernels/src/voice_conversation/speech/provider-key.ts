import { GraceError, type Redactor } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { KeySource } from '../settings.ts';

/** The header for a provider, read anew for each request, so a rotated key counts at once. Its value is left out of what is kept or said. */
export async function authorization(
  ctx: KernelContext,
  redactor: Redactor,
  key: KeySource,
): Promise<Record<string, string>> {
  if (key === null) return {};
  const value = 'env' in key ? process.env[key.env] : (await ctx.secrets.get(key.secret)).value;
  if (value === undefined || value === '')
    throw new GraceError('NOT_FOUND', `the environment has no ${'env' in key ? key.env : key.secret} for the provider`);
  ctx.secrets.know(value);
  redactor.know(value);
  return { authorization: `Bearer ${value}` };
}
