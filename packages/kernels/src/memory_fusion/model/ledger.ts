import type { KernelStore } from '@grace/kernel-sdk';

/** The newest calls that are kept. */
const KEPT = 500;
const BUDGET_KEY = 'model_budget';

export interface ModelCall {
  atMs: number;
  purpose: 'query' | 'memories';
  texts: number;
  characters: number;
  tookMs: number;
  /** `answered`, or what the endpoint did instead. */
  outcome: string;
  detail: string;
}

export type ModelLedger = ReturnType<typeof createModelLedger>;

/** What was asked of the endpoint, and what of the day's budget is spent; both survive a restart. */
export function createModelLedger(store: KernelStore, charactersPerDay: number) {
  const { db } = store;
  const insert = db.prepare(
    'INSERT INTO model_call (at_ms, purpose, texts, characters, took_ms, outcome, detail) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id',
  );
  const trim = db.prepare('DELETE FROM model_call WHERE id <= ?');
  const newest = db.prepare(
    'SELECT at_ms AS atMs, purpose, texts, characters, took_ms AS tookMs, outcome, detail FROM model_call ORDER BY id DESC LIMIT ?',
  );
  const spentOn = (day: string): number => {
    const kept = store.get<{ day: string; characters: number }>(BUDGET_KEY);
    return kept?.day === day ? kept.characters : 0;
  };
  const dayOf = (nowMs: number): string => new Date(nowMs).toISOString().slice(0, 10);
  return {
    left: (nowMs: number): number => Math.max(0, charactersPerDay - spentOn(dayOf(nowMs))),
    /** Counts before the request leaves, so that a crash in between never spends twice. */
    spend(nowMs: number, characters: number): void {
      const day = dayOf(nowMs);
      store.set(BUDGET_KEY, { day, characters: spentOn(day) + characters });
    },
    record({ atMs, purpose, texts, characters, tookMs, outcome, detail }: ModelCall): void {
      const { id } = insert.get(atMs, purpose, texts, characters, Math.round(tookMs), outcome, detail) as {
        id: number;
      };
      if (id % 50 === 0) trim.run(id - KEPT);
    },
    newest: (limit: number): ModelCall[] => newest.all(limit).map((row) => ({ ...row }) as unknown as ModelCall),
  };
}
