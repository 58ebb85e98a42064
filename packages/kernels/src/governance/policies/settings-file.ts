import { readYaml } from '@grace/contracts/config';
import { z } from 'zod';
import { type PolicyFile, PRINCIPAL_KINDS, type Settings, TIERS } from './policy-set.ts';

const name = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'expected a name like self_healing: a-z, 0-9, _');
/** Also somebody a kernel vouches for: api_server:alice. */
const principal = z
  .string()
  .regex(
    /^[a-z][a-z0-9_]{0,63}(:[a-z][a-z0-9_-]{0,63})?$/,
    'expected a name like self_healing: a-z, 0-9, _, or like api_server:alice',
  );

const schema = z.strictObject({
  format: z.literal(1),
  approval_required: z.boolean().optional(),
  default_tier: z.enum(TIERS).optional(),
  principals: z
    .record(
      principal,
      z.strictObject({
        tier: z.enum(TIERS),
        kind: z.enum(PRINCIPAL_KINDS).default('unknown'),
        roles: z.array(name).max(32).default([]),
        asks_for_others: z.boolean().default(false),
      }),
    )
    .default({}),
});

export function settingsOf(files: readonly PolicyFile[]): PolicyFile[] {
  return files.filter(({ name }) => /\.ya?ml$/.test(name));
}

/** The product's own; others add to it. */
const FIRST = 'settings.yaml';

/**
 * Merges settings: `settings.yaml`, then the others in the order of their names. The later wins where two say the same thing.
 * @throws GraceError `POLICY_INVALID` naming file, line and what was expected
 */
export function mergeSettings(files: readonly PolicyFile[]): Settings {
  let merged: Settings = { approvalRequired: true, defaultTier: 'propose', principals: {} };
  const inOrder = [...files].sort(
    (a, b) => Number(b.name === FIRST) - Number(a.name === FIRST) || (a.name < b.name ? -1 : 1),
  );
  for (const file of inOrder) {
    const found = readYaml(file.text, file.name, schema, 'POLICY_INVALID');
    const principals = Object.entries(found.principals).map(([id, { asks_for_others, ...rest }]) => [
      id,
      { ...rest, asksForOthers: asks_for_others },
    ]);
    merged = {
      approvalRequired: found.approval_required ?? merged.approvalRequired,
      defaultTier: found.default_tier ?? merged.defaultTier,
      principals: { ...merged.principals, ...Object.fromEntries(principals) },
    };
  }
  return merged;
}
