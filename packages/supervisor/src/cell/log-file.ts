import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import pino, { type Logger } from 'pino';

export interface LogFile {
  write(
    kernel: string,
    level: number,
    wallMs: number,
    message: string,
    fields: Record<string, unknown> | undefined,
  ): void;
  close(): void;
}

const METHOD: Record<number, 'trace' | 'debug' | 'info' | 'warn' | 'error'> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
};

/** One pino logger per cell, NDJSON with the field `kernel`. Rotates by size: `core.log`, `core.log.1`, ... */
export function openLogFile(path: string, options: { level: string; maxBytes: number; files: number }): LogFile {
  mkdirSync(dirname(path), { recursive: true });
  const destination = pino.destination({ dest: path, sync: false, minLength: 0, mode: 0o600, append: true });
  const logger: Logger = pino({ level: options.level, base: null, timestamp: false }, destination);
  let written = 0;
  // A full disk must not end the cell; what cannot be written is lost, and the journal's own counter says that the disk refuses.
  destination.on('error', () => {});
  destination.on('write', (bytes: number) => {
    written += bytes;
    if (written < options.maxBytes) return;
    written = 0;
    for (let n = options.files - 1; n >= 1; n--)
      if (existsSync(`${path}.${n}`)) renameSync(`${path}.${n}`, `${path}.${n + 1}`);
    if (existsSync(path)) renameSync(path, `${path}.1`);
    rmSync(`${path}.${options.files}`, { force: true });
    destination.reopen();
  });
  return {
    write(kernel, level, wallMs, message, fields) {
      logger[METHOD[level] ?? 'info']({ ...fields, time: wallMs, kernel }, message);
    },
    close() {
      try {
        destination.flushSync();
      } catch {
        // Never opened, or the disk is full: nothing more can be done at the end.
      }
      destination.end();
    },
  };
}
