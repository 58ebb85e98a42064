import { GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';
import type { Question } from './recall/recall.ts';
import type { Remembered } from './store/memories.ts';
import { KINDS, memoryId } from './store/memory.ts';
import { wordsOf } from './words/words.ts';

const MAX_TEXT_BYTES = 65_536;
const MAX_IDS = 1000;

const namespace = is.string({
  max: 64,
  pattern: /^[a-z0-9_][a-z0-9_.-]*(\/[a-z0-9_.-]+)*$/,
  what: 'a namespace of lower-case letters, digits, "_", "-", "." and "/"',
});
const id = is.string({ pattern: /^[0-9a-f]{24}$/, what: 'the id of a memory (24 hexadecimal digits)' });
const source = is.string({ min: 0, max: 4096, what: 'a source' });
const instant = is.number({ min: 0, max: 8.64e15, integer: true });

/** @throws GraceError `BAD_INPUT`; `TOO_LARGE` for a text over 64 KiB */
export function readMemory(input: unknown, nowMs: number): Remembered {
  const given = readInput(input, {
    text: is.string({ max: Number.MAX_SAFE_INTEGER, what: 'the text to remember' }),
    namespace: is.optional(namespace),
    kind: is.optional(is.oneOf(KINDS)),
    source: is.optional(source),
    trust: is.optional(is.number({ min: 0, max: 1 })),
    tags: is.optional(is.array(is.string({ max: 64, what: 'a tag' }), { max: 32 })),
    atMs: is.optional(instant),
  });
  const bytes = Buffer.byteLength(given.text);
  if (bytes > MAX_TEXT_BYTES) {
    throw new GraceError(
      'TOO_LARGE',
      `input.text has ${bytes} bytes; a memory has at most ${MAX_TEXT_BYTES}. Split it, or give it to librarian.ingest`,
      { bytes, maxBytes: MAX_TEXT_BYTES },
    );
  }
  const text = given.text.toWellFormed().replaceAll('\0', ' ').trim();
  if (wordsOf(text).length === 0) {
    throw new GraceError(
      'BAD_INPUT',
      'input.text: expected at least one letter or digit, since nothing else can be recalled',
    );
  }
  const memory = { text, namespace: given.namespace ?? 'default', source: given.source ?? '' };
  return {
    ...memory,
    id: memoryId(memory.namespace, memory.source, text),
    kind: given.kind ?? 'fact',
    trust: given.trust ?? 0.5,
    tags: given.tags ?? [],
    atMs: given.atMs ?? nowMs,
    given: {
      kind: given.kind !== undefined,
      trust: given.trust !== undefined,
      tags: given.tags !== undefined,
      atMs: given.atMs !== undefined,
    },
  };
}

export function readQuestion(input: unknown): Question {
  const given = readInput(input, {
    query: is.string({ max: 2000, what: 'a query' }),
    namespace: is.optional(namespace),
    limit: is.optional(is.number({ min: 1, max: 100, integer: true })),
    kinds: is.optional(is.array(is.oneOf(KINDS), { max: KINDS.length })),
  });
  return {
    query: given.query,
    namespace: given.namespace ?? 'default',
    limit: given.limit ?? 10,
    kinds: given.kinds ?? KINDS,
  };
}

export function readLink(input: unknown): { from: string; to: string; relation: string } {
  const link = readInput(input, { from: id, to: id, relation: is.string({ max: 64, what: 'a relation' }) });
  if (link.from === link.to) throw new GraceError('BAD_INPUT', 'input.to: expected another memory than input.from');
  return link;
}

export interface Forgetting {
  where: string;
  values: string[];
  /** Set when the caller named one memory, which then has to exist. */
  id?: string;
  /** Rewrite the file afterwards. */
  thorough: boolean;
}

/** @throws GraceError `BAD_INPUT` unless exactly one of id, ids, source or namespace says what; a source may be narrowed by a namespace */
export function readForgetting(input: unknown): Forgetting {
  const given = readInput(input, {
    id: is.optional(id),
    ids: is.optional(is.array(id, { max: MAX_IDS })),
    source: is.optional(source),
    namespace: is.optional(namespace),
    thorough: is.optional(is.boolean()),
  });
  const thorough = given.thorough ?? false;
  const named = (['id', 'ids', 'source'] as const).filter((name) => given[name] !== undefined);
  if (named.length > 1 || (named.length === 0 && given.namespace === undefined)) {
    throw new GraceError(
      'BAD_INPUT',
      'input: expected exactly one of id, ids, source or namespace (source with namespace narrows)',
    );
  }
  if (given.namespace !== undefined && named[0] !== undefined && named[0] !== 'source') {
    throw new GraceError('BAD_INPUT', `input.namespace: an ${named[0]} says what to forget already`);
  }
  if (given.id !== undefined) return { where: 'id = ?', values: [given.id], id: given.id, thorough };
  if (given.ids !== undefined) {
    return { where: 'id IN (SELECT value FROM json_each(?))', values: [JSON.stringify(given.ids)], thorough };
  }
  if (given.source === undefined) return { where: 'namespace = ?', values: [given.namespace!], thorough };
  if (given.namespace === undefined) return { where: 'source = ?', values: [given.source], thorough };
  return { where: 'source = ? AND namespace = ?', values: [given.source, given.namespace], thorough };
}

export function readTranscript(input: unknown): { limit: number } {
  const given = readInput(input, { limit: is.optional(is.number({ min: 1, max: 500, integer: true })) });
  return { limit: given.limit ?? 20 };
}
