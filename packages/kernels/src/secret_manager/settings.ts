import { isAbsolute, join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { is, type KernelContext, readInput } from '@grace/kernel-sdk';
import { namePattern, principalName } from './names.ts';
import type { KeySource } from './vault/key-source.ts';

export interface Settings {
  key: KeySource;
  /** Principals that administer the vault and may use every secret; policies are asked for them too. */
  owners: readonly string[];
  /** Names that are handed out and set while governance cannot be asked. */
  offlineAllow: readonly string[];
  leaseMs: number;
  leaseMaxMs: number;
  /** How long the version before a new one is still handed out. */
  graceMs: number;
  versionsMax: number;
  acceptGeneration: number | undefined;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const span = is.optional(is.number({ min: 1000, max: 365 * DAY_MS, integer: true }));

/** @throws GraceError `CONFIG_INVALID` naming the key and what was expected */
export function readSettings(ctx: Pick<KernelContext, 'config' | 'stateDir'>): Settings {
  try {
    const given = readInput(ctx.config, {
      key: is.optional(is.record()),
      owners: is.optional(is.array(principalName, { max: 20 })),
      offlineAllow: is.optional(is.array(namePattern, { max: 200 })),
      leaseMs: span,
      leaseMaxMs: span,
      graceMs: is.optional(is.number({ min: 0, max: 365 * DAY_MS, integer: true })),
      versionsMax: is.optional(is.number({ min: 1, max: 20, integer: true })),
      acceptGeneration: is.optional(is.number({ min: 0, integer: true })),
    });
    const leaseMaxMs = given.leaseMaxMs ?? Math.max(DAY_MS, given.leaseMs ?? 0);
    return {
      key: readKeySource(given.key, ctx.stateDir),
      owners: given.owners ?? ['cli'],
      offlineAllow: given.offlineAllow ?? [],
      leaseMs: Math.min(given.leaseMs ?? HOUR_MS, leaseMaxMs),
      leaseMaxMs,
      graceMs: given.graceMs ?? 300_000,
      versionsMax: given.versionsMax ?? 5,
      acceptGeneration: given.acceptGeneration,
    };
  } catch (error) {
    if (!(error instanceof GraceError)) throw error;
    throw new GraceError(
      'CONFIG_INVALID',
      error.message.replaceAll('input.', 'kernels.secret_manager.config.').replace('of this verb', 'of this kernel'),
      error.details,
    );
  }
}

function readKeySource(key: Record<string, unknown> | undefined, stateDir: string): KeySource {
  if (key === undefined) return { kind: 'key_file', path: join(stateDir, 'vault.key'), made: true };
  const path = is.optional(is.string({ max: 4096 }));
  const { file, passphraseFile, environment } = readInput(key, {
    file: path,
    passphraseFile: path,
    environment: is.optional(
      is.string({ pattern: /^[A-Za-z_][A-Za-z0-9_]{0,127}$/, what: 'the name of an environment variable' }),
    ),
  });
  const given = [file, passphraseFile, environment].filter((one) => one !== undefined);
  const expected = 'exactly one of file, passphraseFile, environment';
  if (given.length !== 1) throw new GraceError('BAD_INPUT', `input.key: expected ${expected}, got ${given.length}`);
  if (environment !== undefined) return { kind: 'environment', name: environment };
  const place = (file ?? passphraseFile)!;
  if (!isAbsolute(place)) throw new GraceError('BAD_INPUT', 'input.key: expected an absolute path');
  return file === undefined ? { kind: 'passphrase_file', path: place } : { kind: 'key_file', path: place, made: false };
}
