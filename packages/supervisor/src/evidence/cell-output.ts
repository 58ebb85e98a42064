import { closeSync, fstatSync, openSync, readdirSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { HOME } from '@grace/contracts';

/** What the processes of a cell printed themselves: V8's last words are there and nowhere else. */
export interface CellOutput {
  /** What was printed since the process before this one ended; at most the last 64 kB, in whole lines. Empty when nothing was. */
  take(cell: string): Promise<string>;
}

const MAX_BYTES = 64e3;

/**
 * All processes of a cell write into one file, one after the other, so what belongs to one is told by where the last one ended. What was
 * printed before this object was made belongs to processes that others looked at. Call `take` when the process has ended and before its
 * successor starts: the end is marked at once, before anything is read.
 */
export function createCellOutput(home: string): CellOutput {
  const folder = join(home, HOME.logs);
  const seen = new Map<string, number>();
  for (const name of names(folder)) seen.set(name, statSync(join(folder, name)).size);
  return {
    async take(cell) {
      const name = `${cell}.out`;
      const path = join(folder, name);
      const size = sizeOf(path);
      const known = seen.get(name) ?? 0;
      seen.set(name, size);
      // A smaller file than before is another file.
      const from = Math.max(known <= size ? known : 0, size - MAX_BYTES);
      if (from >= size) return '';
      await using handle = await open(path);
      const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(size - from), position: from });
      const text = buffer.toString('utf8', 0, bytesRead);
      return from === known || from === 0 ? text : text.slice(text.indexOf('\n') + 1);
    },
  };
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.out'));
  } catch {
    return [];
  }
}

function sizeOf(path: string): number {
  try {
    const file = openSync(path, 'r');
    try {
      return fstatSync(file).size;
    } finally {
      closeSync(file);
    }
  } catch {
    return 0;
  }
}
