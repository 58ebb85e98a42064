import { GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';

export interface Settings {
  /** Absolute folders that may be read; empty = whatever the user of the process may read. */
  roots: readonly string[];
  maxFileBytes: number;
  /** Of a pdf, which is larger than the text in it. */
  maxPdfBytes: number;
  /** Files one watched folder may hold. */
  maxFiles: number;
  /** Threads of the pool; they exist only while there is work for them. */
  maxThreads: number;
}

/** @throws GraceError `CONFIG_INVALID` naming the key and what was expected */
export function readSettings(config: Readonly<Record<string, unknown>>): Settings {
  try {
    const given = readInput(config, {
      roots: is.optional(is.array(is.string({ pattern: /^\//, what: 'an absolute folder' }), { max: 100 })),
      maxFileBytes: is.optional(is.number({ min: 1024, max: 64 * 1024 ** 2, integer: true })),
      maxPdfBytes: is.optional(is.number({ min: 1024, max: 256 * 1024 ** 2, integer: true })),
      maxFiles: is.optional(is.number({ min: 1, max: 50_000, integer: true })),
      maxThreads: is.optional(is.number({ min: 1, max: 2, integer: true })),
    });
    return {
      roots: given.roots ?? [],
      maxFileBytes: given.maxFileBytes ?? 4 * 1024 ** 2,
      maxPdfBytes: given.maxPdfBytes ?? 32 * 1024 ** 2,
      maxFiles: given.maxFiles ?? 5000,
      maxThreads: given.maxThreads ?? 1,
    };
  } catch (error) {
    if (!(error instanceof GraceError)) throw error;
    throw new GraceError(
      'CONFIG_INVALID',
      error.message.replaceAll('input.', 'kernels.librarian.config.').replace('of this verb', 'of this kernel'),
      error.details,
    );
  }
}
