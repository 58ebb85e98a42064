import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultLease } from '@grace/contracts';

/** What stands on disk before a fault is injected, so that whoever comes after a killed runner knows what may still act. */
export interface LeaseRecord {
  lease: FaultLease;
  run: string;
  /** Process of the actor, for faults from outside. */
  pid: number | null;
}

/** `<home>/run/leases` */
export function leaseFolder(home: string): string {
  return join(home, 'run', 'leases');
}

/** Where the bytes are kept that a fault damages, beside its lease. */
export function keepFolder(home: string, id: string): string {
  return join(leaseFolder(home), `${id}.kept`);
}

export function writeLease(home: string, record: LeaseRecord): void {
  const folder = leaseFolder(home);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${record.lease.id}.json`);
  writeFileSync(`${path}.part`, JSON.stringify(record), { flush: true, mode: 0o600 });
  renameSync(`${path}.part`, path);
}

export function removeLease(home: string, id: string): void {
  rmSync(join(leaseFolder(home), `${id}.json`), { force: true });
  rmSync(keepFolder(home, id), { recursive: true, force: true });
}

/** Leases on disk; a file that cannot be read as one is listed under its name without a record. */
export function listLeases(home: string): { id: string; record: LeaseRecord | null }[] {
  let names: string[];
  try {
    names = readdirSync(leaseFolder(home));
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({ id: name.slice(0, -5), record: readLease(join(leaseFolder(home), name)) }));
}

function readLease(path: string): LeaseRecord | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as LeaseRecord;
  } catch {
    return null;
  }
}
