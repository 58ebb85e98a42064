import type { AnyRecord } from '@grace/contracts';

/** One event of a stream (WHATWG HTML, server-sent events). JSON has no line breaks, so one `data` line is enough. */
export function recordFrame(record: AnyRecord): string {
  return `id: ${record.seq}\nevent: ${record.name}\ndata: ${JSON.stringify(record)}\n\n`;
}

/** Moves the reader's last id over records it did not want. Without data, so nothing is dispatched. */
export const placeFrame = (seq: number): string => `: alive\nid: ${seq}\n\n`;

/** Why the stream ends, and after how long to come again. */
export const endFrame = (reason: string, retryMs: number): string =>
  `retry: ${retryMs}\nevent: end\ndata: ${JSON.stringify({ reason })}\n\n`;

export const openFrame = (retryMs: number): string => `retry: ${retryMs}\n\n`;
