import { readFile } from 'node:fs/promises';
import { field, RECORD_OVERHEAD_BYTES, SEGMENT_HEADER_BYTES } from '../src/format.ts';
import { openLedger, readLedger } from '../src/index.ts';

/** Everything a reader finds, payloads as text. */
export async function readAll(dir: string): Promise<{ seq: number; kind: string; text: string; hash: string }[]> {
  const found = [];
  for await (const { seq, kind, payload, hash } of readLedger(dir, 1, 1e9)) {
    found.push({ seq, kind, text: Buffer.from(payload).toString('utf8'), hash });
  }
  return found;
}

/** Writes `texts`, each in a batch of its own, and closes. */
export async function writeAlone(dir: string, texts: string[], segmentBytes?: number): Promise<void> {
  const ledger = await openLedger({ dir, ...(segmentBytes === undefined ? {} : { segmentBytes }) });
  for (const text of texts) await ledger.append(text);
  await ledger.close();
}

/** Where each record of an intact segment file begins and ends. */
export async function spansOf(path: string): Promise<{ from: number; to: number }[]> {
  const bytes = await readFile(path);
  const spans = [];
  for (let from = SEGMENT_HEADER_BYTES; from < bytes.length; ) {
    const to = from + RECORD_OVERHEAD_BYTES + field.payloadBytes(bytes, from);
    spans.push({ from, to });
    from = to;
  }
  return spans;
}
