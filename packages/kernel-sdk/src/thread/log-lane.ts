import { type FromThread, SLOT } from '@grace/contracts';
import type { KernelLog } from '../kernel.ts';
import { createBucket } from './bucket.ts';

const LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50 } as const;
type Level = keyof typeof LEVELS;

/** Characters of a message, and of its fields as JSON, that are kept. */
const MESSAGE_LENGTH = 8000;
const FIELDS_LENGTH = 32_000;

/** Records a thread may send a second, and at once; what is over is dropped and counted, so that a log flood cannot fill the cell's memory. */
const RECORDS_PER_SECOND = 1000;
const BURST_RECORDS = 2000;

/** The thread's logger: counts every record in the telemetry slot, sends those of the wanted level to the cell's writer. */
export function createLogLane(
  slot: BigInt64Array,
  minimum: Level,
  send: (record: Extract<FromThread, { t: 'log' }>) => void,
): KernelLog {
  const maySend = createBucket(RECORDS_PER_SECOND, BURST_RECORDS, (refused) =>
    send({
      t: 'log',
      level: LEVELS.warn,
      wallMs: Date.now(),
      message: `${refused} log records dropped: more than ${RECORDS_PER_SECOND} in a second`,
    }),
  );
  const write = (level: Level, message: string, fields?: Record<string, unknown>): void => {
    Atomics.add(slot, SLOT.logs, 1n);
    if (level === 'error') Atomics.add(slot, SLOT.errors, 1n);
    if (LEVELS[level] < LEVELS[minimum]) return;
    if (!maySend()) return;
    send({
      t: 'log',
      level: LEVELS[level],
      wallMs: Date.now(),
      message: (typeof message === 'object' ? JSON.stringify(cloneable(message)) : String(message)).slice(
        0,
        MESSAGE_LENGTH,
      ),
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

/** A log record must never throw because of what it carries, also where a module without types gives what is no record. */
function cloneable(fields: unknown): Record<string, unknown> {
  try {
    const text = JSON.stringify(fields, (_key, value) =>
      typeof value === 'bigint' ? String(value) : value instanceof Error ? value.message : value,
    );
    if (text.length > FIELDS_LENGTH)
      return { fields: `left out: ${text.length} characters, kept are ${FIELDS_LENGTH}` };
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : { value };
  } catch {
    return { fields: 'could not be written as JSON' };
  }
}
