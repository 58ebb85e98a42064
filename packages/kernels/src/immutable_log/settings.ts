import { is, type KernelContext, readInput } from '@grace/kernel-sdk';
import type { TransparencySettings } from './transparency.ts';

const WITNESS_MODES = ['off', 'optional', 'required'] as const;
const DEADLINE_MS = 1000;

/** The settings of the tree and its witnesses. */
export const TRANSPARENCY_SHAPE = {
  checkpointEveryMs: is.optional(is.number({ min: 10 })),
  witness: is.optional(is.oneOf(WITNESS_MODES)),
  witnessDir: is.optional(is.string({ max: 1000 })),
  witnessDeadlineMs: is.optional(is.number({ min: 10, max: 60_000 })),
  witnesses: is.optional(is.array(is.record(), { max: 15 })),
  origin: is.optional(is.string({ max: 200, pattern: /^[^\s+]+$/u, what: 'a name without spaces and plus signs' })),
};

/** @throws GraceError `BAD_INPUT` */
export function readTransparency({ config, stateDir }: KernelContext): TransparencySettings {
  const given = Object.fromEntries(Object.entries(config).filter(([name]) => Object.hasOwn(TRANSPARENCY_SHAPE, name)));
  const { checkpointEveryMs = 1000, witness = 'optional', witnessDir, ...more } = readInput(given, TRANSPARENCY_SHAPE);
  const { witnessDeadlineMs = DEADLINE_MS, witnesses = [], origin } = more;
  return {
    checkpointEveryMs,
    witness,
    // Beside the folder of the kernel: a folder that is set back does not take its witness with it.
    witnessDir: witnessDir ?? `${stateDir}-witness`,
    witnessDeadlineMs,
    witnesses: witnesses.map((entry) =>
      readInput(entry, { url: is.string({ pattern: /^https?:\/\// }), vkey: is.string() }),
    ),
    origin,
  };
}
