import type { LogFile } from './log-file.ts';

type Record_ = Parameters<LogFile['write']>;

export interface LogWriter {
  write(...record: Record_): void;
  /** Everything written so far is on its way to the disk. */
  close(): Promise<void>;
}

/** Records that wait while the log file is being opened; what is over is lost. */
const WAITING = 1000;

/** Opens the log at the first record: a cell that has nothing to say at its start does not load a logger for it. */
export function createLogWriter(path: string, options: { level: string; maxBytes: number; files: number }): LogWriter {
  const waiting: Record_[] = [];
  let file: LogFile | undefined;
  let opening: Promise<void> | undefined;
  const open = async (): Promise<void> => {
    const { openLogFile } = await import('./log-file.ts');
    file = openLogFile(path, options);
    for (const record of waiting.splice(0)) file.write(...record);
  };
  return {
    write(...record) {
      if (file) return file.write(...record);
      if (waiting.length < WAITING) waiting.push(record);
      // A disk that is full keeps the log closed; the next record tries again.
      opening ??= open().catch(() => {
        opening = undefined;
      });
    },
    async close() {
      await opening;
      file?.close();
    },
  };
}
