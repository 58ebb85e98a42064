import { GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';

/** What a component says about itself. */
export interface Announcement {
  id: string;
  version: string;
  title: string;
  /** Verbs, subjects, or whatever others may use it for. */
  offers: string[];
  /** Ids of kernels and components it cannot do without. */
  needs: string[];
  /** A summary, for people. */
  manifest: Record<string, unknown>;
}

const MANIFEST_CHARS = 8192;

export const componentId = is.string({
  max: 64,
  pattern: /^[a-z][a-z0-9_.-]*$/,
  what: 'an id of small letters, digits, "_", "-" and "."',
});
const word = is.string({ max: 200 });

/** @throws GraceError `BAD_INPUT`, `TOO_LARGE` */
export function readAnnouncement(input: unknown): Announcement {
  const given = readInput(input, {
    id: componentId,
    version: is.string({ max: 64 }),
    title: is.optional(word),
    offers: is.optional(is.array(word, { max: 200 })),
    needs: is.optional(is.array(componentId, { max: 100 })),
    manifest: is.optional(is.record()),
  });
  if (given.needs?.includes(given.id)) {
    throw new GraceError('BAD_INPUT', `input.needs: ${given.id} cannot need itself`, { field: 'needs' });
  }
  return {
    id: given.id,
    version: given.version,
    title: given.title ?? given.id,
    offers: [...new Set(given.offers)],
    needs: [...new Set(given.needs)],
    manifest: plain(given.manifest ?? {}),
  };
}

function plain(manifest: Record<string, unknown>): Record<string, unknown> {
  let text: string;
  try {
    text = JSON.stringify(manifest);
  } catch (cause) {
    throw new GraceError(
      'BAD_INPUT',
      `input.manifest: expected something JSON can say: ${(cause as Error).message.split('\n')[0]}`,
      { field: 'manifest' },
    );
  }
  if (text.length > MANIFEST_CHARS) {
    throw new GraceError(
      'TOO_LARGE',
      `the summary of a manifest has at most ${MANIFEST_CHARS} characters, this one ${text.length}`,
    );
  }
  return JSON.parse(text);
}
