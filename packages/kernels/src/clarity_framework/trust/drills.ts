import type { KernelStore } from '@grace/kernel-sdk';

/** Whether a drill had its hand in what happened: a fault of the same correlation, or a permit for faults that was in force. */
export interface Drills {
  /** @param atMs wall time */
  touched(atMs: number, correlation: string | null): boolean;
}

/** Longer than any permit: older ones are not looked at. */
const PERMIT_MAX_MS = 3_600_000;

/** Reads the archive, within whatever transaction is under way. */
export function createDrills({ db }: KernelStore): Drills {
  const injected = db.prepare(
    "SELECT 1 FROM happening WHERE correlation = ? AND name = 'fault:inject' AND at_ms <= ? LIMIT 1",
  );
  const permits = db.prepare(
    "SELECT at_ms, body FROM happening WHERE name = 'drill:permit' AND at_ms BETWEEN ?1 - ?2 AND ?1 ORDER BY seq DESC LIMIT 100",
  );
  const revoked = db.prepare(
    "SELECT 1 FROM happening WHERE name = 'drill:revoke' AND at_ms BETWEEN ?1 AND ?2 AND json_extract(body, '$.data.id') = ?3 LIMIT 1",
  );
  return {
    touched(atMs, correlation) {
      if (correlation !== null && injected.get(correlation, atMs) !== undefined) return true;
      for (const row of permits.all(atMs, PERMIT_MAX_MS) as { at_ms: number; body: string }[]) {
        const { monoMs, data } = JSON.parse(row.body) as { monoMs: number; data: { id: string; untilMono: number } };
        const endsMs = row.at_ms + (data.untilMono - monoMs);
        if (atMs <= endsMs && revoked.get(row.at_ms, atMs, data.id) === undefined) return true;
      }
      return false;
    },
  };
}
