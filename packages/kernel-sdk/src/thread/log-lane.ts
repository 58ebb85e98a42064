import { type FromThread, SLOT } from '@grace/contracts';
import type { KernelLog } from '../kernel.ts';

const LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50 } as const;
type Level = keyof typeof LEVELS;

/** Records a thread may send in one second; what is over is dropped and counted, so that a log flood cannot fill the cell's memory. */
const RECORDS_PER_SECOND = 1000;

/** The thread's logger: counts every record in the telemetry slot, sends those of the wanted level to the cell's writer. */
export function createLogLane(
  slot: BigInt64Array,
  minimum: Level,
  send: (record: Extract<FromThread, { t: 'log' }>) => void,
): KernelLog {
  let windowStart = 0;
  let sent = 0;
  let dropped = 0;
  const write = (level: Level, message: string, fields?: Record<string, unknown>): void => {
    Atomics.add(slot, SLOT.logs, 1n);
    if (level === 'error') Atomics.add(slot, SLOT.errors, 1n);
    if (LEVELS[level] < LEVELS[minimum]) return;
    const now = Date.now();
    if (now - windowStart >= 1000) {
      const lost = dropped;
      windowStart = now;
      sent = 0;
      dropped = 0;
      if (lost > 0)
        send({
          t: 'log',
          level: LEVELS.warn,
          wallMs: now,
          message: `${lost} log records dropped: more than ${RECORDS_PER_SECOND} in a second`,
        });
    }
    if (sent >= RECORDS_PER_SECOND) {
      dropped++;
      return;
    }
    sent++;
    send({
      t: 'log',
      level: LEVELS[level],
      wallMs: now,
      message: String(message).slice(0, 8000),
      ...(fields === undefined ? {} : { fields: cloneable(fields) }),
    });
  };
  return {
    trace: (message, fields) => write('trace', message, fields),
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
  };
}

/** A log record must never throw because of what it carries. */
function cloneable(fields: Record<string, unknown>): Record<string, unknown> {
  try {
    return JSON.parse(
      JSON.stringify(fields, (_key, value) =>
        typeof value === 'bigint' ? String(value) : value instanceof Error ? value.message : value,
      ),
    );
  } catch {
    return { fields: 'could not be written as JSON' };
  }
}
