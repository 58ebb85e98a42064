import { GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';

/** What a project says must pass before a change is called verified; run in a copy of the tree. */
export interface Check {
  /** Absolute; the root it belongs to, or a folder in it. */
  folder: string;
  /** Program and arguments; no shell. */
  command: readonly string[];
  timeoutMs: number;
}

export interface Settings {
  /** Absolute folders in which source may be read and changed; none = nothing may. */
  roots: readonly string[];
  checks: readonly Check[];
  /** Threads for scans and repairs, at a time. One more comes for the probe when all of them are busy. */
  threads: number;
  /** A thread that has had nothing to do for this long ends. */
  idleMs: number;
  /** Of one scan. */
  maxFiles: number;
  maxBytes: number;
  maxFileBytes: number;
  /** Rules of ruff, by its prefixes. */
  ruff: readonly string[];
  /** Candidates below this are not proposed, 0 to 1. */
  minConfidence: number;
}

const MIB = 1024 ** 2;

/** @throws GraceError `CONFIG_INVALID` naming the key and what was expected */
export function readSettings(config: Readonly<Record<string, unknown>>): Settings {
  const folder = is.string({ max: 4096, pattern: /^\/[^\0]*$/, what: 'an absolute folder' });
  const count = (min: number, max: number) => is.optional(is.number({ min, max, integer: true }));
  try {
    const given = readInput(config, {
      roots: is.optional(is.array(folder, { max: 100 })),
      checks: is.optional(is.array(is.record(), { max: 100 })),
      threads: count(1, 4),
      idleMs: count(0, 600_000),
      maxFiles: count(1, 200_000),
      maxBytes: count(1024, 4096 * MIB),
      maxFileBytes: count(1024, 64 * MIB),
      ruff: is.optional(
        is.array(is.string({ max: 16, pattern: /^[A-Z]+[0-9]*$/, what: 'a prefix like E4' }), { max: 100 }),
      ),
      minConfidence: is.optional(is.number({ min: 0, max: 1 })),
    });
    return {
      roots: given.roots ?? [],
      checks: (given.checks ?? []).map((check) => readCheck(check, folder)),
      threads: given.threads ?? 1,
      idleMs: given.idleMs ?? 5000,
      maxFiles: given.maxFiles ?? 20_000,
      maxBytes: given.maxBytes ?? 512 * MIB,
      maxFileBytes: given.maxFileBytes ?? 2 * MIB,
      ruff: given.ruff ?? ['E4', 'E7', 'E9', 'F'],
      minConfidence: given.minConfidence ?? 0.5,
    };
  } catch (error) {
    if (!(error instanceof GraceError)) throw error;
    throw new GraceError(
      'CONFIG_INVALID',
      error.message.replaceAll('input.', 'kernels.coding_agent.config.').replace('of this verb', 'of this kernel'),
      error.details,
    );
  }
}

function readCheck(check: Record<string, unknown>, folder: (value: unknown, place: string) => string): Check {
  const { timeoutMs, ...given } = readInput(check, {
    folder,
    command: is.array(is.string({ max: 4096, pattern: /^[^\0]*$/ }), { max: 100 }),
    timeoutMs: is.optional(is.number({ min: 100, max: 1_800_000, integer: true })),
  });
  if (given.command.length === 0)
    throw new GraceError('BAD_INPUT', 'input.checks: expected a command, got an empty list');
  return { ...given, timeoutMs: timeoutMs ?? 120_000 };
}
