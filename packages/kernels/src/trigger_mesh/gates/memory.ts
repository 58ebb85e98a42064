import { createHash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import type { KernelContext } from '@grace/kernel-sdk';
import type { LiveRule } from '../rules/live.ts';
import type { Rule } from '../rules/rule.ts';
import { createState, holdsAnything, packState, type RuleState, unpackState } from './state.ts';

/** What rules remember, in the store: windows, waiting sides, debounces, breakers. Written once a second and at the end. */
export interface Memory {
  touch(live: LiveRule): void;
  /** On disk at once: what its breaker has become. */
  keep(live: LiveRule): void;
  /**
   * What the rule remembered, unless it was changed since. When the clock was set or the machine was booted, only its breaker: an open one
   * is open anew.
   */
  recall(rule: Rule): RuleState;
  forget(id: string): void;
  flush(): void;
}

export const MEMORY_TABLES = `
  CREATE TABLE memory (rule TEXT PRIMARY KEY, shape TEXT NOT NULL, epoch_ms REAL NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
`;

/** Events may hold what JSON cannot say, and so may what is remembered of them. */
export const MEMORY_AS_BYTES = `
  DROP TABLE memory;
  CREATE TABLE memory (rule TEXT PRIMARY KEY, shape TEXT NOT NULL, epoch_ms REAL NOT NULL, state BLOB NOT NULL) WITHOUT ROWID;
`;

const FLUSH_MS = 1000;
/** A larger state is not kept over a restart. */
const STATE_BYTES = 2_000_000;
/** Two boots of a machine begin further apart than this. */
const SAME_BOOT_MS = 10_000;

export function createMemory(ctx: KernelContext): Memory {
  const { db } = ctx.store;
  const put = db.prepare('INSERT OR REPLACE INTO memory (rule, shape, epoch_ms, state) VALUES (?, ?, ?, ?)');
  const find = db.prepare('SELECT shape, epoch_ms AS epoch, state FROM memory WHERE rule = ?');
  const drop = db.prepare('DELETE FROM memory WHERE rule = ?');
  const touched = new Map<string, LiveRule>();
  /** Wall time at which the monotonic clock began: tells one boot of the machine from the next. */
  const epochMs = (): number => ctx.clock.wallMs() - ctx.clock.monoMs();

  const flush = (): void => {
    if (touched.size === 0) return;
    const rules = [...touched.values()];
    touched.clear();
    ctx.store.transaction(() => {
      for (const { rule, state } of rules) {
        const bytes = holdsAnything(state) ? serialize(packState(state)) : undefined;
        if (!bytes || bytes.length > STATE_BYTES) drop.run(rule.id);
        else put.run(rule.id, shapeOf(rule), epochMs(), bytes);
      }
    });
  };
  ctx.every(FLUSH_MS, flush);

  return {
    touch(live) {
      const { source, window, and, debounceMs, cooldownMs } = live.rule;
      const remembers = window || and || debounceMs > 0 || cooldownMs > 0;
      if (source !== 'probe' && remembers) touched.set(live.rule.id, live);
    },
    keep(live) {
      if (live.rule.source === 'probe') return;
      touched.set(live.rule.id, live);
      try {
        flush();
      } catch (error) {
        ctx.log.error('what rules remember could not be written', { error: String(error) });
      }
    },
    recall(rule) {
      const row = find.get(rule.id) as { shape: string; epoch: number; state: Uint8Array } | undefined;
      if (!row || row.shape !== shapeOf(rule)) return createState();
      const known = unpackState(deserialize(row.state));
      if (Math.abs(row.epoch - epochMs()) <= SAME_BOOT_MS) return known;
      const { state, failures } = known.breaker;
      return { ...createState(), breaker: { state, failures, untilMs: ctx.clock.monoMs() + rule.breaker.openMs } };
    },
    forget(id) {
      touched.delete(id);
      drop.run(id);
    },
    flush,
  };
}

/** What must be the same for the memory of a rule to mean anything. */
function shapeOf({ on, when, key, window, and, debounceMs }: Rule): string {
  return createHash('sha256')
    .update(JSON.stringify([on, when, key, window, and, debounceMs]))
    .digest('hex')
    .slice(0, 16);
}
