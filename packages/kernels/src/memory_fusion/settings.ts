import { GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';
import { type ModelSettings, readModel } from './model/settings.ts';

/** How long and how many: what is older than `maxAgeMs` or beyond the newest `maxItems` is forgotten. */
export interface RetentionRule {
  maxItems: number;
  /** 0 = no limit by age. */
  maxAgeMs: number;
}

export interface Settings {
  /** For every namespace without a rule of its own. */
  retention: RetentionRule;
  /** By namespace; the rule of `a` also holds for `a/b`. */
  namespaces: Readonly<Record<string, RetentionRule>>;
  /** Bound of the vectors held in memory, over all namespaces. */
  cacheBytes: number;
  /** Length of a built-in vector. A change embeds what is stored anew at the next start. */
  dimension: number;
  /** The endpoint that makes vectors beside the built-in embedder; none unless configured. */
  model: ModelSettings | undefined;
}

const MAX_ITEMS = 100_000;
/** Scratch of functional probes: gone after ten minutes even when a probe died before it cleaned up. */
const PROBE_RULE: RetentionRule = { maxItems: 1000, maxAgeMs: 600_000 };

const rule = {
  maxItems: is.optional(is.number({ min: 1, max: 1_000_000, integer: true })),
  maxAgeMs: is.optional(is.number({ min: 0, integer: true })),
};

/** @throws GraceError `CONFIG_INVALID` naming the key and what was expected */
export function readSettings(config: Readonly<Record<string, unknown>>): Settings {
  try {
    const given = readInput(config, {
      maxItems: rule.maxItems,
      maxAgeMs: rule.maxAgeMs,
      namespaces: is.optional(is.record()),
      cacheBytes: is.optional(is.number({ min: 1024 ** 2, max: 1024 ** 3, integer: true })),
      dimension: is.optional(is.number({ min: 64, max: 4096, integer: true })),
      model: is.optional(is.record()),
    });
    const retention = { maxItems: given.maxItems ?? MAX_ITEMS, maxAgeMs: given.maxAgeMs ?? 0 };
    const namespaces: Record<string, RetentionRule> = { probe: PROBE_RULE };
    for (const [name, value] of Object.entries(given.namespaces ?? {})) {
      const own = readInput(is.record()(value, `input.namespaces.${name}`), rule);
      namespaces[name] = { maxItems: own.maxItems ?? retention.maxItems, maxAgeMs: own.maxAgeMs ?? retention.maxAgeMs };
    }
    return {
      retention,
      namespaces,
      cacheBytes: given.cacheBytes ?? 64 * 1024 ** 2,
      dimension: given.dimension ?? 512,
      model: given.model && readModel(given.model),
    };
  } catch (error) {
    if (!(error instanceof GraceError)) throw error;
    throw new GraceError(
      'CONFIG_INVALID',
      error.message.replaceAll('input.', 'kernels.memory_fusion.config.').replace('of this verb', 'of this kernel'),
      error.details,
    );
  }
}

/** The rule for a namespace: its own, else that of its first part, else the general one. */
export function retentionOf(settings: Settings, namespace: string): RetentionRule {
  const own = (name: string): RetentionRule | undefined =>
    Object.hasOwn(settings.namespaces, name) ? settings.namespaces[name] : undefined;
  return own(namespace) ?? own(namespace.split('/', 1)[0]!) ?? settings.retention;
}
