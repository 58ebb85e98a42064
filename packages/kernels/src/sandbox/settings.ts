import { GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';

export interface Settings {
  /** Programs that `execute` may start beside `node`: absolute paths. */
  commands: readonly string[];
  /** Principals that may ask for a run with network. */
  network: readonly string[];
  /** Principals that may cancel what others have asked for. */
  operators: readonly string[];
  /** False: as on a machine that has no namespaces. */
  namespaces: boolean;
  /** Threads for snippets, and child processes, at a time. */
  threads: number;
  children: number;
  /** What may wait for each of the two. */
  queue: number;
  /** Records of ended runs that are kept. */
  runsKept: number;
}

/** @throws GraceError `CONFIG_INVALID` naming the key and what was expected */
export function readSettings(config: Readonly<Record<string, unknown>>): Settings {
  const names = is.optional(is.array(is.string({ max: 64 }), { max: 100 }));
  const count = (max: number) => is.optional(is.number({ min: 1, max, integer: true }));
  try {
    const given = readInput(config, {
      commands: is.optional(is.array(is.string({ pattern: /^\/[^\0]*$/, what: 'an absolute path' }), { max: 100 })),
      network: names,
      operators: names,
      namespaces: is.optional(is.boolean()),
      threads: count(4),
      children: count(8),
      queue: is.optional(is.number({ min: 0, max: 256, integer: true })),
      runsKept: count(100_000),
    });
    return {
      commands: given.commands ?? [],
      network: given.network ?? [],
      operators: given.operators ?? ['cli'],
      namespaces: given.namespaces ?? true,
      threads: given.threads ?? 2,
      children: given.children ?? 2,
      queue: given.queue ?? 32,
      runsKept: given.runsKept ?? 5000,
    };
  } catch (error) {
    if (!(error instanceof GraceError)) throw error;
    throw new GraceError(
      'CONFIG_INVALID',
      error.message.replaceAll('input.', 'kernels.sandbox.config.').replace('of this verb', 'of this kernel'),
      error.details,
    );
  }
}
