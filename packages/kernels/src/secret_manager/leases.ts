import { randomUUID } from 'node:crypto';
import { GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';

/** Somebody was handed a version and may use it until the lease ends; who holds one is told when the version is replaced. */
export interface Lease {
  id: string;
  principal: string;
  name: string;
  version: number;
  issuedMs: number;
  expiresMs: number;
}

export const LEASE_TABLE = `CREATE TABLE lease (
  id TEXT PRIMARY KEY, principal TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
  issued_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX lease_name ON lease (name);
CREATE INDEX lease_expires ON lease (expires_ms)`;

/** Of one principal; beyond it the one that expires first ends. */
const PER_PRINCIPAL_MAX = 1000;

const COLUMNS = 'id, principal, name, version, issued_ms AS issuedMs, expires_ms AS expiresMs';

/** Leases hold names, never values; they live in the kernel's store, because handing one out must not write the vault anew. */
export function createLeases(store: KernelStore, nowMs: () => number) {
  const { db } = store;
  const insert = db.prepare('INSERT INTO lease VALUES (?, ?, ?, ?, ?, ?)');
  const find = db.prepare(`SELECT ${COLUMNS} FROM lease WHERE id = ? AND expires_ms > ?`);
  const extend = db.prepare('UPDATE lease SET expires_ms = ? WHERE id = ?');
  const remove = db.prepare('DELETE FROM lease WHERE id = ?');
  const bound = db.prepare(
    'DELETE FROM lease WHERE id IN (SELECT id FROM lease WHERE principal = ? ORDER BY expires_ms DESC LIMIT -1 OFFSET ?)',
  );
  const list = db.prepare(
    `SELECT ${COLUMNS} FROM lease WHERE expires_ms > ?1 AND (?2 IS NULL OR name = ?2) AND (?3 IS NULL OR principal = ?3)
     ORDER BY name, expires_ms LIMIT ?4`,
  );
  const older = db.prepare(`SELECT ${COLUMNS} FROM lease WHERE name = ? AND version < ? AND expires_ms > ?`);
  const cut = db.prepare('UPDATE lease SET expires_ms = ? WHERE name = ? AND version < ? AND expires_ms > ?');

  const select = (where: { name?: string | undefined; principal?: string | undefined }, limit: number): Lease[] =>
    (list.all(nowMs(), where.name ?? null, where.principal ?? null, limit) as unknown as Lease[]).map((lease) => ({
      ...lease,
    }));

  return {
    /** Within the caller's transaction. */
    issue(principal: string, name: string, version: number, leaseMs: number): Lease {
      const now = nowMs();
      const lease = { id: `lease-${randomUUID()}`, principal, name, version, issuedMs: now, expiresMs: now + leaseMs };
      insert.run(lease.id, principal, name, version, now, lease.expiresMs);
      bound.run(principal, PER_PRINCIPAL_MAX);
      return lease;
    },
    /** @throws GraceError `NOT_FOUND` when it never was or has ended */
    get(id: string): Lease {
      const lease = find.get(id, nowMs()) as Lease | undefined;
      if (!lease)
        throw new GraceError('NOT_FOUND', 'there is no such lease: it never was, or it has ended', { lease: id });
      return { ...lease };
    },
    renew(lease: Lease, leaseMs: number): Lease {
      const expiresMs = nowMs() + leaseMs;
      extend.run(expiresMs, lease.id);
      return { ...lease, expiresMs };
    },
    end: (id: string): void => void remove.run(id),
    list: select,
    all: (): Lease[] => select({}, -1),
    /** Leases of versions before this one; none of them lasts longer than `untilMs` from now on. */
    supersede(name: string, version: number, untilMs: number): Lease[] {
      const held = (older.all(name, version, nowMs()) as unknown as Lease[]).map((lease) => ({ ...lease }));
      cut.run(untilMs, name, version, untilMs);
      return held.map((lease) => ({ ...lease, expiresMs: Math.min(lease.expiresMs, untilMs) }));
    },
    /** Ends the leases of a name, or of one version of it, and says which. */
    endAll(name: string, version?: number): Lease[] {
      const held = select({ name }, -1).filter((lease) => version === undefined || lease.version === version);
      for (const { id } of held) remove.run(id);
      return held;
    },
    /** Forgets what has ended; how many. */
    tidy: (): number => Number(db.prepare('DELETE FROM lease WHERE expires_ms <= ?').run(nowMs()).changes),
    count: (): number => Number(db.prepare('SELECT count(*) AS n FROM lease WHERE expires_ms > ?').get(nowMs())!['n']),
  };
}

export type Leases = ReturnType<typeof createLeases>;
