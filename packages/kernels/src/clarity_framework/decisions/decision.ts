import { GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';

/** What somebody says about a decision of theirs. Null and empty: they did not say. */
export interface Statement {
  what: string;
  /** In their own words; the principal stands beside it as `by`. */
  who: string;
  /** Wall time, ms; null: when it was recorded. */
  whenMs: number | null;
  /** The kernel, cell or place it is about. */
  where: string | null;
  why: string | null;
  how: string | null;
  alternatives: { what: string; whyNot: string | null }[];
  evidence: Evidence;
  /** 0 to 1. */
  confidence: number | null;
  correlation: string | null;
}

export interface Evidence {
  /** Sequence numbers of the journal. */
  records: number[];
  incidents: string[];
  /** Sequence numbers of the audit record. */
  audit: number[];
  /** Decisions it follows from. */
  decisions: string[];
}

export interface Decision extends Statement {
  id: string;
  /** The principal that recorded it, as the wire told it. */
  by: string;
  /** When it was recorded, wall time, ms. */
  atMs: number;
}

export const DECISION_CHARS = 32 * 1024;
/** A clock that is ahead by more is wrong. */
const AHEAD_MS = 60_000;

const word = is.string({ max: 200 });
const text = is.string({ max: 4000 });
const seqs = is.array(is.number({ min: 1, max: Number.MAX_SAFE_INTEGER, integer: true }), { max: 200 });
const ids = is.array(word, { max: 200 });

/**
 * The input of the verb `record`.
 * @throws GraceError `BAD_INPUT` naming the field and what was expected, `TOO_LARGE`
 */
export function readStatement(
  input: unknown,
  by: string,
  nowMs: number,
): { statement: Statement; key: string | undefined } {
  const given = readInput(input, {
    what: is.string({ max: 1000 }),
    who: is.optional(word),
    when: is.optional(instant),
    where: is.optional(word),
    why: is.optional(text),
    how: is.optional(text),
    alternatives: is.optional(is.array(is.record(), { max: 20 })),
    evidence: is.optional(is.record()),
    confidence: is.optional(is.number({ min: 0, max: 1 })),
    correlation: is.optional(word),
    key: is.optional(word),
  });
  if (given.when !== undefined && given.when > nowMs + AHEAD_MS) {
    throw new GraceError(
      'BAD_INPUT',
      `input.when: expected a time that is not ahead, got ${new Date(given.when).toISOString()}`,
      {
        field: 'when',
      },
    );
  }
  const statement: Statement = {
    what: given.what,
    who: given.who ?? by,
    whenMs: given.when ?? null,
    where: given.where ?? null,
    why: given.why ?? null,
    how: given.how ?? null,
    alternatives: (given.alternatives ?? []).map(readAlternative),
    evidence: readEvidence(given.evidence ?? {}),
    confidence: given.confidence ?? null,
    correlation: given.correlation ?? null,
  };
  const chars = JSON.stringify(statement).length;
  if (chars > DECISION_CHARS) {
    throw new GraceError('TOO_LARGE', `a decision has at most ${DECISION_CHARS} characters, this one ${chars}`, {
      chars,
    });
  }
  return { statement, key: given.key };
}

/** Wall time as ms or ISO 8601. */
export function instant(value: unknown, place: string): number {
  const ms = typeof value === 'string' && value.length <= 40 ? Date.parse(value) : value;
  if (typeof ms === 'number' && Number.isFinite(ms) && Math.abs(ms) <= 8.64e15) return ms;
  const got = typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : typeof value;
  throw new GraceError(
    'BAD_INPUT',
    `${place}: expected ms since 1970 or a time like 2026-11-05T14:00:00Z, got ${got}`,
    {
      field: place,
    },
  );
}

function readAlternative(input: Record<string, unknown>, i: number): Statement['alternatives'][number] {
  const { what, whyNot } = within(`input.alternatives[${i}]`, () =>
    readInput(input, { what: is.string({ max: 1000 }), whyNot: is.optional(text) }),
  );
  return { what, whyNot: whyNot ?? null };
}

function readEvidence(input: Record<string, unknown>): Evidence {
  const given = within('input.evidence', () =>
    readInput(input, {
      records: is.optional(seqs),
      incidents: is.optional(ids),
      audit: is.optional(seqs),
      decisions: is.optional(ids),
    }),
  );
  return {
    records: [...new Set(given.records)],
    incidents: [...new Set(given.incidents)],
    audit: [...new Set(given.audit)],
    decisions: [...new Set(given.decisions)],
  };
}

/** Errors of a part, named by its place in the whole. */
function within<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GraceError)) throw error;
    throw new GraceError(error.code, error.message.replace(/^input/, place), error.details);
  }
}
