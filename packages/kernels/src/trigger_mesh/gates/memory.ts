import { createHash } from 'node:crypto';
import type { KernelContext } from '@grace/kernel-sdk';
import type { LiveRule } from '../rules/live.ts';
import type { Rule } from '../rules/rule.ts';
import { createState, holdsAnything, packState, type RuleState, unpackState } from './state.ts';

/** What rules remember, in the store: windows, waiting sides, debounces, breakers. Written once a second and at the end. */
export interface Memory {
  touch(live: LiveRule): void;
  /** What the rule remembered, unless the rule was changed or the machine was booted since. */
  recall(rule: Rule): RuleState;
  forget(id: string): void;
  flush(): void;
}

export const MEMORY_TABLES = `
  CREATE TABLE memory (rule TEXT PRIMARY KEY, shape TEXT NOT NULL, epoch_ms REAL NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
`;

const FLUSH_MS = 1000;
/** A state that is longer than this in JSON is not kept over a restart. */
const STATE_CHARS = 2_000_000;
/** Two boots of a machine begin further apart than this. */
const SAME_BOOT_MS = 10_000;

export function createMemory(ctx: KernelContext): Memory {
  const { db } = ctx.store;
  const put = db.prepare('INSERT OR REPLACE INTO memory (rule, shape, epoch_ms, state) VALUES (?, ?, ?, ?)');
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
        const text = holdsAnything(state) ? JSON.stringify(packState(state)) : '';
        if (text === '' || text.length > STATE_CHARS) drop.run(rule.id);
        else put.run(rule.id, shapeOf(rule), epochMs(), text);
      }
    });
  };
  ctx.every(FLUSH_MS, flush);

  return {
    touch(live) {
      const { source, window, and, debounceMs, cooldownMs } = live.rule;
      const remembers = window || and || debounceMs > 0 || cooldownMs > 0 || live.state.breaker.failures > 0;
      if (source !== 'probe' && remembers) touched.set(live.rule.id, live);
    },
    recall(rule) {
      const row = db.prepare('SELECT shape, epoch_ms AS epoch, state FROM memory WHERE rule = ?').get(rule.id) as
        | { shape: string; epoch: number; state: string }
        | undefined;
      if (!row || row.shape !== shapeOf(rule) || Math.abs(row.epoch - epochMs()) > SAME_BOOT_MS) return createState();
      return unpackState(JSON.parse(row.state));
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
