import { isAbsolute } from 'node:path';
import { GraceError } from '@grace/contracts';
import { is, type KernelContext, readInput } from '@grace/kernel-sdk';
import { namedPlaces, type Place } from './places.ts';
import type { Bounds } from './take.ts';

export interface SnapshotSettings {
  /** Configuration and artefacts; state has its own folders. */
  places: Place[];
  bounds: Bounds;
  keep: number;
  maxAgeMs: number;
  /** Between two snapshots that nobody asked for; 0: none. */
  everyMs: number;
  /** Between two looks at one piece. */
  lookMs: number;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const MIB = 1024 * 1024;

/**
 * @throws GraceError `BAD_INPUT` naming the setting
 */
export function readSnapshotSettings({ config }: Pick<KernelContext, 'config'>): SnapshotSettings {
  const path = (value: unknown, place: string): string => {
    const text = is.string({ max: 4096 })(value, place);
    if (isAbsolute(text) && !text.includes('\0')) return text;
    throw new GraceError('BAD_INPUT', `${place}: expected an absolute path, got ${JSON.stringify(text.slice(0, 60))}`);
  };
  const configs = is.optional(is.array(path, { max: 100 }))(config['configs'], 'config.configs') ?? [];
  const artefacts =
    is
      .optional(is.array(is.record(), { max: 100 }))(config['artefacts'], 'config.artefacts')
      ?.map((given) => readInput(given, { name: is.string({ max: 100, pattern: NAME }), path })) ?? [];
  const given = readInput(is.optional(is.record())(config['snapshots'], 'config.snapshots'), {
    keep: is.optional(is.number({ min: 1, max: 1000, integer: true })),
    maxAgeMs: is.optional(is.number({ min: 1000 })),
    everyMs: is.optional(is.number({ min: 0, max: 2 ** 31 - 1 })),
    lookMs: is.optional(is.number({ min: 10, max: 2 ** 31 - 1 })),
    files: is.optional(is.number({ min: 1, max: 50_000, integer: true })),
    fileBytes: is.optional(is.number({ min: 1, max: 2 ** 40 })),
    bytes: is.optional(is.number({ min: 1, max: 2 ** 40 })),
    freeBytes: is.optional(is.number({ min: 0 })),
  });
  return {
    places: [
      ...namedPlaces(
        'config',
        configs.map((one) => ({ path: one })),
      ),
      ...namedPlaces('artefact', artefacts),
    ],
    bounds: {
      files: given.files ?? 5000,
      fileBytes: given.fileBytes ?? 1024 * MIB,
      bytes: given.bytes ?? 4096 * MIB,
      freeBytes: given.freeBytes ?? 256 * MIB,
    },
    keep: given.keep ?? 10,
    maxAgeMs: given.maxAgeMs ?? 30 * 86_400_000,
    everyMs: given.everyMs ?? 6 * 3_600_000,
    lookMs: given.lookMs ?? 15_000,
  };
}
