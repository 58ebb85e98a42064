import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HOME } from '@grace/contracts';
import { type LogRecord, parseLogLine } from './log-line.ts';

/** At most this much of each file is read at once; of a longer one, its end. */
const READ_BYTES = 8e6;

/** The log files of a home, read on from where the last reading ended. Rotated files count too: each is known by its inode. */
export class LogFolder {
  readonly path: string;
  readonly #places = new Map<number, number>();

  constructor(home: string) {
    this.path = join(home, HOME.logs);
  }

  /** What was written since the last call, oldest first; nothing when there is no such folder. */
  async read(): Promise<LogRecord[]> {
    const names = await readdir(this.path).catch(() => []);
    const batches = await Promise.all(
      names.filter((name) => /\.log(\.|$)/.test(name) || /\.\d+\.log$/.test(name)).map((name) => this.#readFile(name)),
    );
    return batches.flat().sort((a, b) => a.time - b.time);
  }

  async #readFile(name: string): Promise<LogRecord[]> {
    const file = await open(join(this.path, name), 'r').catch(() => undefined);
    if (!file) return [];
    try {
      const { ino, size } = await file.stat();
      const known = this.#places.get(ino) ?? 0;
      // A file that became shorter was begun anew under the same inode.
      const from = Math.max(size < known ? 0 : known, size - READ_BYTES);
      if (size === from) return [];
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
      const whole = buffer.subarray(0, bytesRead);
      const end = whole.lastIndexOf(10) + 1;
      this.#places.set(ino, from + end);
      return whole
        .toString('utf8', 0, end)
        .split('\n')
        .flatMap((line) => parseLogLine(line) ?? []);
    } finally {
      await file.close();
    }
  }
}
