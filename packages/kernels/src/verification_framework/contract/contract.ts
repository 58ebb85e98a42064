import { GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';
import { readCondition } from '../rules/read.ts';
import type { Condition } from '../rules/rule.ts';
import type { Shelf } from '../rules/shelf.ts';

export interface Deed {
  kernel: string;
  verb: string;
  input: unknown;
  deadlineMs: number;
}

/** After which outcomes the compensation runs. */
export const COMPENSABLE = ['broken', 'failed', 'unknown'] as const;

/** A condition with the name it is told by. */
export interface Clause {
  name: string;
  condition: Condition;
}

/** One verb with what must be so before and after it. */
export interface Contract {
  pre: Clause[];
  action: Deed;
  post: Clause[];
  compensate: (Deed & { on: readonly (typeof COMPENSABLE)[number][] }) | null;
  reason: string | null;
}

const CLAUSES_MAX = 8;
const INPUT_CHARS = 64 * 1024;
const name = is.string({ max: 64, pattern: /^[A-Za-z][A-Za-z0-9_]*$/, what: 'a name of letters, digits and "_"' });
const DEED = {
  kernel: name,
  verb: name,
  input: is.unknown(),
  deadlineMs: is.optional(is.number({ min: 10, max: 60_000 })),
};

/** @throws GraceError `BAD_INPUT`, `NOT_FOUND`, `TOO_LARGE` */
export async function readContract(
  input: unknown,
  own: string,
  shelf: Pick<Shelf, 'get'>,
  reads: readonly string[],
): Promise<Contract> {
  const given = readInput(input, {
    pre: is.optional(is.array(is.unknown(), { max: CLAUSES_MAX })),
    action: is.record(),
    post: is.optional(is.array(is.unknown(), { max: CLAUSES_MAX })),
    compensate: is.optional(is.record()),
    reason: is.optional(is.string({ max: 500 })),
  });
  const { pre = [], post = [], compensate } = given;
  if (pre.length + post.length === 0) {
    throw new GraceError('BAD_INPUT', 'input: expected at least one condition under pre or post');
  }
  const clauses = (kind: 'pre' | 'post', said: readonly unknown[]): Promise<Clause[]> =>
    Promise.all(said.map((one, i) => readClause(one, `input.${kind}[${i}]`, kind, shelf, reads)));
  return {
    pre: await clauses('pre', pre),
    action: readDeed(given.action, 'input.action', own),
    post: await clauses('post', post),
    compensate: compensate ? readCompensation(compensate, own) : null,
    reason: given.reason ?? null,
  };
}

async function readClause(
  said: unknown,
  place: string,
  kind: 'pre' | 'post',
  shelf: Pick<Shelf, 'get'>,
  reads: readonly string[],
): Promise<Clause> {
  if (typeof said !== 'string')
    return { name: place.slice('input.'.length), condition: await readCondition(said, place, kind, reads) };
  const rule = shelf.get(is.string({ max: 64 })(said, place));
  // An invariant may stand before and after anything; a post-condition speaks of an answer that is not there before.
  if (rule.kind === kind || rule.kind === 'invariant') return { name: rule.id, condition: rule };
  throw new GraceError('BAD_INPUT', `${place}: "${rule.id}" is a rule of kind ${rule.kind}, not ${kind}`, {
    rule: rule.id,
  });
}

function readDeed(said: Record<string, unknown>, place: string, own: string): Deed {
  const { kernel, verb, input, deadlineMs } = inPlace(place, () => readInput(said, DEED));
  if (kernel === own) throw new GraceError('BAD_INPUT', `${place}: ${own} cannot be called around itself: a circle`);
  return { kernel, verb, input: inPlace(place, () => json(input)), deadlineMs: deadlineMs ?? 5000 };
}

function readCompensation(said: Record<string, unknown>, own: string): NonNullable<Contract['compensate']> {
  const { on, ...deed } = said;
  const wanted = is.optional(is.array(is.oneOf(COMPENSABLE), { max: 3 }))(on, 'input.compensate.on');
  return { ...readDeed(deed, 'input.compensate', own), on: wanted ?? ['broken', 'failed'] };
}

/** What is kept on disk before it is done must be what is done. */
function json(input: unknown): unknown {
  if (input === undefined || input === null) return {};
  let text: string | undefined;
  try {
    text = JSON.stringify(input);
  } catch (error) {
    throw new GraceError('BAD_INPUT', `input.input: expected JSON: ${(error as Error).message.split('\n')[0]}`);
  }
  if (text === undefined) throw new GraceError('BAD_INPUT', `input.input: expected JSON, got a ${typeof input}`);
  if (text.length > INPUT_CHARS) {
    throw new GraceError('TOO_LARGE', `input.input: at most ${INPUT_CHARS} characters, these are ${text.length}`);
  }
  return JSON.parse(text);
}

function inPlace<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GraceError)) throw error;
    throw new GraceError(error.code, error.message.replace(/^input/, place), error.details);
  }
}
