import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { newestSegment, type SegmentView } from './segment-view.ts';

export const DAMAGES = ['flip', 'remove'] as const;
export type Damage = (typeof DAMAGES)[number];

/** Fewer records have no middle. */
const RECORDS_MIN = 8;
/** Bytes that are flipped, in the middle of a record. */
const FLIPPED_BYTES = 3;

/** What was done to one segment, kept on disk before it was done, so that whoever comes after a killed laboratory can take it back. */
export interface DamageRecord {
  damage: Damage;
  path: string;
  segment: string;
  seq: number;
  /** The bytes from `offset` to the end of the file as it was. */
  offset: number;
  originalBytes: number;
  damagedBytes: number;
  /** SHA-256 of those bytes before and after. */
  before: string;
  after: string;
}

/**
 * Damages one record in the middle of the newest segment, in place, while its writer lives: `flip` changes some of its bytes, `remove` takes
 * it out and moves what followed into its place.
 * @param keep folder for the original bytes
 * @throws GraceError `FAULT_TARGET` when the record is too short to have a middle
 */
export function damageRecord(folder: string, damage: Damage, keep: string): DamageRecord {
  const segment = newestSegment(folder);
  if (!segment || segment.records.length < RECORDS_MIN)
    throw new GraceError('FAULT_TARGET', `${folder}: expected a segment of at least ${RECORDS_MIN} records`);
  const victim = segment.records[Math.floor(segment.records.length / 2)]!;
  const original = Buffer.from(segment.bytes.subarray(victim.offset));
  const damaged = damagedBytes(segment, victim, damage);
  const record: DamageRecord = {
    ...{ damage, path: segment.path, segment: segment.name, seq: victim.seq, offset: victim.offset },
    originalBytes: original.length,
    damagedBytes: damaged.length,
    before: digest(original),
    after: digest(damaged),
  };
  mkdirSync(keep, { recursive: true });
  writeFileSync(join(keep, 'original'), original, { flush: true });
  writeFileSync(join(keep, 'damage.json'), JSON.stringify(record), { flush: true });
  replace(segment.path, victim.offset, damaged, damage === 'remove' ? segment.bytes.length : null);
  if (bytesThere(record) !== record.after || record.after === record.before)
    throw new GraceError('CONFLICT', `${segment.path}: the damage is not what stands on the disk`);
  return record;
}

function damagedBytes(segment: SegmentView, victim: SegmentView['records'][number], damage: Damage): Buffer {
  const { bytes } = segment;
  if (damage === 'remove') return Buffer.from(bytes.subarray(victim.offset + victim.bytes));
  const flipped = Buffer.from(bytes.subarray(victim.offset));
  const middle = Math.floor(victim.bytes / 2);
  for (let at = middle; at < middle + FLIPPED_BYTES; at++) flipped[at]! ^= 0xff;
  return flipped;
}

/** `lengthBefore`: the file ends behind these bytes afterwards, unless its writer has added to it since it was read. */
function replace(path: string, offset: number, bytes: Buffer, lengthBefore: number | null): void {
  const fd = openSync(path, 'r+');
  try {
    if (lengthBefore !== null && fstatSync(fd).size !== lengthBefore)
      throw new GraceError('CONFLICT', `${path} has grown since it was read`);
    writeSync(fd, bytes, 0, bytes.length, offset);
    if (lengthBefore !== null) ftruncateSync(fd, offset + bytes.length);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** What stands on the disk now where the damage was done; null when the file is not there any more. */
export function bytesThere({ path, offset, damagedBytes }: DamageRecord): string | null {
  const fd = existsSync(path) ? openSync(path, 'r') : null;
  if (fd === null) return null;
  try {
    const there = Buffer.alloc(damagedBytes);
    const read = readSync(fd, there, 0, there.length, offset);
    return digest(there.subarray(0, read));
  } finally {
    closeSync(fd);
  }
}

/** What was damaged under this lease; null when nothing was, or it has been taken back. */
export function readDamage(keep: string): DamageRecord | null {
  const path = join(keep, 'damage.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as DamageRecord) : null;
}

/**
 * Puts the original bytes back where the damage still stands as it was done. What the system has repaired, moved or sealed is left alone.
 * @returns whether no damage of this drill stands where it was done
 */
export function takeBack(keep: string): boolean {
  const record = readDamage(keep);
  if (!record) return true;
  if (bytesThere(record) === record.after) {
    // What the writer has added since stands behind the original end, where it would stand anyway.
    replace(record.path, record.offset, readFileSync(join(keep, 'original')), null);
  }
  return bytesThere(record) !== record.after;
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
