import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import type { HeldLease } from './fault.ts';

/** Writes that were under way come to their end within this, ms; none begins, since the event loop does not turn. */
const UNDER_WAY_MS = 60;
/** How long the torn record stands on the disk before the thread dies, so that somebody may look at it, ms. */
const SHOWN_MS = 250;
const SEGMENT_HEADER_BYTES = 64;
/** Of a record, what stands before its payload. */
const RECORD_HEAD_BYTES = 60;
/** What the record says it holds, and how much of it is written. */
const PAYLOAD_BYTES = 400;
const WRITTEN_BYTES = 123;
const EXIT_CODE = 7;

/**
 * Dies in the middle of a write: the beginning of a record stands at the end of the newest segment of a ledger, and the thread is gone. Its
 * successor must cut it off. A lease that is over before the thread dies takes the bytes back: nothing else can have written meanwhile.
 * @param params `folder`: where the segments are, absolute
 */
export function tornWrite(lease: HeldLease, { folder }: Readonly<Record<string, unknown>>): void {
  if (typeof folder !== 'string') throw new GraceError('INTERNAL', 'drill: the folder of a ledger was not given');
  sleep(UNDER_WAY_MS);
  const newest = readdirSync(folder)
    .filter((name) => /^\d{16}\.segment$/.test(name))
    .sort()
    .at(-1);
  if (newest === undefined) throw new GraceError('INTERNAL', `drill: ${folder} has no segment`);
  const fd = openSync(join(folder, newest), 'r+');
  try {
    const { size } = fstatSync(fd);
    const torn = Buffer.alloc(WRITTEN_BYTES, '{"torn":"');
    // A head like those of the others, so that nothing but its missing end tells it from them.
    readSync(fd, torn, 0, RECORD_HEAD_BYTES, SEGMENT_HEADER_BYTES);
    torn.writeUInt32LE(PAYLOAD_BYTES, 4);
    writeSync(fd, torn, 0, torn.length, size);
    fsyncSync(fd);
    sleep(SHOWN_MS);
    if (lease.active()) process.exit(EXIT_CODE);
    ftruncateSync(fd, size);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
