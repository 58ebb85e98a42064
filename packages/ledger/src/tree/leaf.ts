import type { RecordKind } from '../format.ts';

/** What a leaf is made of: a record as the ledger has it. */
export interface LeafSource {
  seq: number;
  atMs: number;
  kind: RecordKind;
  /** SHA-256, hex. */
  hash: string;
  /** JSON. */
  payload: Uint8Array | string;
}

/** What stands around the entry is shorter than this. */
export const FRAME_BYTES = 200;
/** The largest payload that stands in its leaf: a bundle tells lengths in 16 bits. Of a larger one the leaf tells the size. */
export const PAYLOAD_BYTES_MAX = 65_535 - FRAME_BYTES;

/** One line of JSON. The hash is that of the ledger, which covers the payload and the hash before it: the tree binds the chain. */
export function leafOf(source: LeafSource): Buffer {
  const { payload } = source;
  const payloadBytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength;
  const leaf = Buffer.allocUnsafe(Math.min(payloadBytes, PAYLOAD_BYTES_MAX) + FRAME_BYTES);
  return leaf.subarray(0, writeLeaf(leaf, 0, source, payloadBytes));
}

/** Writes `leafOf` into `into`, which has room for the payload and its frame; returns its length. */
export function writeLeaf(into: Buffer, at: number, source: LeafSource, payloadBytes: number): number {
  const { seq, atMs, kind, hash, payload } = source;
  const frame = `{"seq":${seq},"atMs":${atMs},"kind":"${kind}","hash":"${hash}",`;
  if (payloadBytes > PAYLOAD_BYTES_MAX) return into.write(`${frame}"entryBytes":${payloadBytes}}`, at, 'latin1');
  let end = at + into.write(`${frame}"entry":`, at, 'latin1');
  if (typeof payload === 'string') into.write(payload, end, payloadBytes, 'utf8');
  else into.set(payload, end);
  end += payloadBytes;
  into[end++] = 0x7d;
  return end - at;
}
