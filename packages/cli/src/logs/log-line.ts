import { showTime } from '../output/figures.ts';
import { type Output, printable, type Tone } from '../output/output.ts';

/** A record as cells write it through pino. */
export interface LogRecord {
  level: number;
  /** Wall time, ms. */
  time: number;
  msg: string;
  kernel?: string;
  cell?: string;
  [field: string]: unknown;
}

const LEVELS: Record<number, [string, Tone | undefined]> = {
  10: ['trace', 'dim'],
  20: ['debug', 'dim'],
  30: ['info', undefined],
  40: ['warn', 'warn'],
  50: ['error', 'bad'],
  60: ['fatal', 'bad'],
};

/** `14:03:07.123 warn  librarian  a message  {"field":1}` */
export function logLine(record: LogRecord, out: Output): string {
  const { level, time, msg, kernel, cell, pid: _pid, hostname: _hostname, ...fields } = record;
  const [name, tone] = LEVELS[level] ?? [String(level), undefined];
  const padded = name.padEnd(5);
  const rest = Object.keys(fields).length === 0 ? '' : `  ${out.paint('dim', printable(JSON.stringify(fields)))}`;
  return `${out.paint('dim', showTime(time))} ${tone ? out.paint(tone, padded) : padded} ${kernel ?? cell ?? 'supervisor'}  ${printable(msg ?? '').replaceAll('\n', ' ')}${rest}`;
}

/** A line of a log file; undefined when it is no record, as the raw words of a dying process are not. */
export function parseLogLine(text: string): LogRecord | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const value = JSON.parse(text) as LogRecord;
    return typeof value.time === 'number' && typeof value.level === 'number' ? value : undefined;
  } catch {
    return undefined;
  }
}
