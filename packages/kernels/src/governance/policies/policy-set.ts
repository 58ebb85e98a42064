import { createHash } from 'node:crypto';
import type { Cedar } from '../engine/cedar.ts';

/** A file as it was read. */
export interface PolicyFile {
  /** Without folder. */
  name: string;
  text: string;
}

export const TIERS = ['observe', 'propose', 'act_with_approval', 'act'] as const;
export type Tier = (typeof TIERS)[number];
export const PRINCIPAL_KINDS = ['kernel', 'operator', 'laboratory', 'outside', 'unknown'] as const;
export type PrincipalKind = (typeof PRINCIPAL_KINDS)[number];

export interface PrincipalSettings {
  tier: Tier;
  kind: PrincipalKind;
  roles: readonly string[];
  /** May ask what another principal may do, as whoever guards a thing for others must. */
  asksForOthers: boolean;
}

/** The YAML files, merged. */
export interface Settings {
  /** False: what needs an approval is permitted without one. */
  approvalRequired: boolean;
  defaultTier: Tier;
  principals: Readonly<Record<string, PrincipalSettings>>;
}

/** What an administrator wrote: read, and as far as YAML goes checked. */
export interface Sources {
  files: readonly PolicyFile[];
  settings: Settings;
}

/** What a policy is, for those who list it. */
export interface PolicyNote {
  effect: 'permit' | 'forbid';
  file: string;
  line: number;
  /** Whether its condition looks at `context.approved`. */
  approvable: boolean;
}

/** An action: the type of what it acts on, and the fields of its context. */
export interface ActionShape {
  resource: string;
  fields: Readonly<Record<string, { required: boolean }>>;
}

/** Checked policies, complete: this is what a version keeps, and what the engine runs. */
export interface PolicySet extends Sources {
  /** SHA-256 of all files, hex. */
  version: string;
  schema: string;
  /** Text by id. */
  policies: Readonly<Record<string, string>>;
  notes: Readonly<Record<string, PolicyNote>>;
  actions: Readonly<Record<string, ActionShape>>;
  /** Schema and policies as Cedar's JSON, which it reads in a third of the time. Absent where an earlier release kept the version, and where a number would lose digits. */
  parsed?: { schema: Cedar.SchemaJson<string>; policies: Readonly<Record<string, Cedar.PolicyJson>> };
}

/** How a principal stands that no settings name. */
export function standingOf(settings: Settings, principal: string): PrincipalSettings {
  if (Object.hasOwn(settings.principals, principal)) return settings.principals[principal]!;
  return { tier: settings.defaultTier, kind: 'unknown', roles: [], asksForOthers: false };
}

/** The hash of what is written, whatever is made of it. */
export function versionOf(files: readonly PolicyFile[]): string {
  const parts = files.map(({ name, text }) => [name, text]).sort(([a], [b]) => (a! < b! ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
