import type { Readable } from 'node:stream';
import type { FromThread } from '@grace/contracts';

type LogRecord = Extract<FromThread, { t: 'log' }>;

/**
 * Lines one stream of one thread may put into the log in a second; what is over is dropped and counted. How many bytes arrive here is bounded
 * where they are printed, in the thread: kernel-sdk/src/thread/print-lane.ts.
 */
const LINES_PER_SECOND = 1000;
const LONGEST_LINE = 8000;

/** Turns what a thread prints into log records, line by line, at a bounded rate. */
export function logOutput(stream: Readable, level: number, write: (record: LogRecord) => void): void {
  let rest = '';
  let windowStart = 0;
  let lines = 0;
  let dropped = 0;

  const tell = (now: number): void => {
    if (dropped > 0)
      write({
        t: 'log',
        level: 40,
        wallMs: now,
        message: `${dropped} printed lines dropped: more than ${LINES_PER_SECOND} in a second`,
      });
    dropped = 0;
  };
  const take = (line: string): void => {
    const now = Date.now();
    if (now - windowStart >= 1000) {
      tell(now);
      windowStart = now;
      lines = 0;
    }
    if (++lines > LINES_PER_SECOND) dropped++;
    else write({ t: 'log', level, wallMs: now, message: line.slice(0, LONGEST_LINE) });
  };

  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop()!.slice(0, LONGEST_LINE);
    for (const line of parts) if (line !== '') take(line);
  });
  stream.on('end', () => {
    if (rest !== '') take(rest);
    tell(Date.now());
  });
}
