import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import { readRuleFile } from './read.ts';
import type { Rule } from './rule.ts';

/** Rules that survive a restart: those of the file, those defined by verb, and which of both are switched. */
export interface Shelf {
  keep(rule: Rule): void;
  remove(id: string): void;
  /** Remembers a switch beside the rule, so a rule of the file stays off although the file says nothing. */
  switch(id: string, enabled: boolean): void;
  /** `given`: rules the composition root has checked, or a file. */
  load(given: readonly Rule[] | string | null): Promise<Rule[]>;
}

/** Raised whenever the compiled form of a rule changes, so that no form of before is taken from the store. */
const COMPILED_FORM = 1;

export const SHELF_TABLES = `
  CREATE TABLE rules (id TEXT PRIMARY KEY, rule TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE switches (id TEXT PRIMARY KEY, enabled INTEGER NOT NULL) WITHOUT ROWID;
`;

export function createShelf(store: KernelStore): Shelf {
  const { db } = store;

  /** Checked rules of the file, taken from the store when the text is the same as last time: a restart pays for no validator. */
  const fromFile = async (file: string): Promise<Rule[]> => {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      throw new GraceError('CONFIG_UNREADABLE', `${file}: ${(error as Error).message}`, { file });
    }
    const hash = createHash('sha256').update(`${COMPILED_FORM}\n${text}`).digest('hex');
    const known = store.get<{ hash: string; rules: Rule[] }>('file');
    if (known?.hash === hash) return known.rules;
    const rules = await readRuleFile(text, file);
    store.set('file', { hash, rules });
    return rules;
  };

  return {
    keep(rule) {
      store.transaction(() => {
        db.prepare('INSERT OR REPLACE INTO rules (id, rule) VALUES (?, ?)').run(rule.id, JSON.stringify(rule));
        db.prepare('DELETE FROM switches WHERE id = ?').run(rule.id);
      });
    },
    remove(id) {
      store.transaction(() => {
        db.prepare('DELETE FROM rules WHERE id = ?').run(id);
        db.prepare('DELETE FROM switches WHERE id = ?').run(id);
      });
    },
    switch(id, enabled) {
      db.prepare('INSERT OR REPLACE INTO switches (id, enabled) VALUES (?, ?)').run(id, enabled ? 1 : 0);
    },
    async load(given) {
      const rules = new Map<string, Rule>();
      for (const row of db.prepare('SELECT rule FROM rules').all() as { rule: string }[]) {
        const rule = JSON.parse(row.rule) as Rule;
        rules.set(rule.id, rule);
      }
      // The file wins over a rule of the same id that was defined by verb before the file had it.
      for (const rule of given === null ? [] : typeof given === 'string' ? await fromFile(given) : given)
        rules.set(rule.id, rule);
      for (const row of db.prepare('SELECT id, enabled FROM switches').all() as { id: string; enabled: number }[]) {
        const rule = rules.get(row.id);
        if (rule) rules.set(row.id, { ...rule, enabled: row.enabled === 1 });
      }
      return [...rules.values()];
    },
  };
}
