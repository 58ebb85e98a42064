import { createHash } from 'node:crypto';
import { GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';
import type { LedgerRecord } from '@grace/ledger';
import { PAYLOAD_BYTES_MAX } from '@grace/ledger/tree';

/** What an appender states. */
export interface Entry {
  /** Who did it, as the appender says. */
  actor: string;
  /** What was done. */
  action: string;
  /** To what. */
  resource: string;
  /** In which part of the system. */
  subsystem: string;
  /** How it ended. */
  outcome: string;
  payload?: unknown;
  /** Within one actor: an entry with a key that is there already is not written again. */
  idempotencyKey?: string;
}

/** An entry as it is kept: with the principal that appended it, as the wire told it. */
export interface KeptEntry extends Entry {
  by: string;
}

/** What reading gives. */
export interface AuditRecord extends KeptEntry {
  seq: number;
  atMs: number;
  /** SHA-256, hex. */
  hash: string;
}

/** It stands in a leaf of the tree as a whole, and the layout of tiles allows no larger one. */
const ENTRY_BYTES_MAX = PAYLOAD_BYTES_MAX;
const word = is.string({ max: 500 });

const ENTRY_SHAPE = {
  actor: word,
  action: word,
  resource: is.string({ max: 2000 }),
  subsystem: word,
  outcome: word,
  payload: is.unknown(),
  idempotencyKey: is.optional(word),
};

/** @throws GraceError `BAD_INPUT` naming the field and what was expected */
export function readEntry(input: unknown): Entry {
  const { payload, idempotencyKey, ...entry } = readInput(input, ENTRY_SHAPE);
  return {
    ...entry,
    ...(payload === undefined ? {} : { payload }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  };
}

/**
 * The bytes that are kept: JSON with the fields in one order.
 * @throws GraceError `BAD_INPUT` when the payload is no JSON, `TOO_LARGE`
 */
export function encodeEntry(
  { actor, action, resource, subsystem, outcome, payload, idempotencyKey }: Entry,
  by: string,
) {
  let text: string;
  try {
    text = JSON.stringify({ actor, action, resource, subsystem, outcome, by, idempotencyKey, payload });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GraceError('BAD_INPUT', `input.payload: expected something JSON can carry: ${why}`, { field: 'payload' });
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > ENTRY_BYTES_MAX) {
    throw new GraceError('TOO_LARGE', `an entry has at most ${ENTRY_BYTES_MAX} bytes, this one ${bytes}`, { bytes });
  }
  return text;
}

/** The same for two attempts to append the same thing, whoever carries it. */
export function digestOf({ actor, action, resource, subsystem, outcome, payload }: Entry): string {
  return createHash('sha256')
    .update(JSON.stringify([actor, action, resource, subsystem, outcome, payload]))
    .digest('base64url');
}

const OWN_ENTRIES = {
  recovery: ['truncate', 'segment', 'recovered'],
  seal: ['seal', 'sealed', 'sealed'],
  repair: ['restore', 'evidence', 'restored'],
} as const;

/** The ledger's own entries, about what it cut off, sealed or restored, read like all others. */
export function decodeRecord({ seq, atMs, hash, kind, payload }: LedgerRecord): AuditRecord {
  const content = parse(seq, payload);
  if (kind === 'data') return { seq, atMs, hash, ...(content as unknown as KeptEntry) };
  const [action, about, outcome] = OWN_ENTRIES[kind];
  const resource = kind === 'seal' ? `epoch ${String(content[about])}` : String(content[about]);
  return {
    ...{ seq, atMs, hash, actor: 'ledger', action, resource },
    ...{ subsystem: 'immutable_log', outcome, by: 'immutable_log', payload: content },
  };
}

function parse(seq: number, payload: Uint8Array): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8'));
  } catch (cause) {
    throw new GraceError('LEDGER_CORRUPT', `record ${seq} is whole, but it is no audit entry`, { seq }, { cause });
  }
}
