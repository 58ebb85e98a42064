import type { KernelStore } from '@grace/kernel-sdk';

/** A bounded ring of samples in the kernel's store; the oldest make room. */
export interface Samples {
  add(wallMs: number, sample: unknown): void;
  /** Newest first. */
  last(limit: number): Record<string, unknown>[];
  count(): number;
}

export function createSamples(store: KernelStore, capacity: number): Samples {
  const { db } = store;
  return {
    add(wallMs, sample) {
      store.transaction(() => {
        db.prepare('INSERT INTO samples (wall_ms, sample) VALUES (?, ?)').run(wallMs, JSON.stringify(sample));
        db.prepare('DELETE FROM samples WHERE seq <= (SELECT max(seq) FROM samples) - ?').run(capacity);
      });
    },
    last: (limit) =>
      db
        .prepare('SELECT wall_ms, sample FROM samples ORDER BY seq DESC LIMIT ?')
        .all(limit)
        .map((row) => ({ wallMs: row['wall_ms'], ...(JSON.parse(row['sample'] as string) as object) })),
    count: () => (db.prepare('SELECT count(*) AS count FROM samples').get() as { count: number }).count,
  };
}
