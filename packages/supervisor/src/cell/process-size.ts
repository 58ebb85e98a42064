import { closeSync, openSync, readSync } from 'node:fs';

interface ProcessSize {
  /** Memory this process has pages for. */
  residentBytes: number;
  /** Address space: grows with memory that was asked for and not touched yet; null where /proc does not tell. */
  virtualBytes: number | null;
}

/**
 * The size of this process from `/proc/self/statm`, kept open: 3.5 us of CPU a reading, where `process.memoryUsage.rss()` costs 9 and pidusage
 * 1,000. Elsewhere the former is read.
 */
export function openProcessSize(): { read(): ProcessSize; close(): void } {
  let file = open();
  const text = Buffer.alloc(128);
  let pageBytes = 4096;
  const read = (): ProcessSize => {
    if (file === undefined) return { residentBytes: process.memoryUsage.rss(), virtualBytes: null };
    const [size, resident] = text
      .toString('latin1', 0, readSync(file, text, 0, text.length, 0))
      .split(' ', 2)
      .map(Number);
    return { residentBytes: resident! * pageBytes, virtualBytes: size! * pageBytes };
  };
  // Nobody tells the size of a page; the file counts in it, Node in bytes.
  pageBytes = 2 ** Math.round(Math.log2(process.memoryUsage.rss() / (read().residentBytes / pageBytes)));
  return {
    read,
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}

function open(): number | undefined {
  try {
    return openSync('/proc/self/statm', 'r');
  } catch {
    return undefined;
  }
}
