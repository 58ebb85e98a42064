import { didYouMean, GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import { RULE_LIMITS, type Rule } from './rule.ts';

/** The rules in force: those of the file, and those that were defined, which are on disk. */
export interface Shelf {
  all(): Rule[];
  /** @throws GraceError `NOT_FOUND` with the nearest id */
  get(id: string): Rule;
  /** @throws GraceError `CONFLICT` for a rule of the file, `TOO_LARGE` */
  define(rule: Rule): { replaced: boolean };
  /** @throws GraceError `NOT_FOUND`, `CONFLICT` */
  remove(id: string): void;
}

export const SHELF_TABLES = `
  CREATE TABLE rule (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
`;

/** @param ofFile wins over a rule of the same id that was defined before the file had it */
export function createShelf(store: KernelStore, ofFile: readonly Rule[]): Shelf {
  const { db } = store;
  const put = db.prepare('INSERT OR REPLACE INTO rule (id, body) VALUES (?, ?)');
  const drop = db.prepare('DELETE FROM rule WHERE id = ?');
  const own = (db.prepare('SELECT body FROM rule').all() as { body: string }[]).map(
    ({ body }) => JSON.parse(body) as Rule,
  );
  const rules = new Map([...own, ...ofFile].map((rule) => [rule.id, rule]));
  const get = (id: string): Rule => {
    const rule = rules.get(id);
    if (rule) return rule;
    throw new GraceError('NOT_FOUND', `no rule is called ${JSON.stringify(id)}${didYouMean(id, rules.keys())}`, { id });
  };
  const refuseFile = (id: string): void => {
    if (rules.get(id)?.source !== 'file') return;
    throw new GraceError('CONFLICT', `rule "${id}" stands in the file of invariants; change it there`, { id });
  };
  return {
    all: () => [...rules.values()],
    get,
    define(rule) {
      refuseFile(rule.id);
      const replaced = rules.has(rule.id);
      if (!replaced && [...rules.values()].filter(({ source }) => source === 'verb').length >= RULE_LIMITS.rules)
        throw new GraceError('TOO_LARGE', `there are ${RULE_LIMITS.rules} own rules already; remove one first`);
      store.transaction(() => void put.run(rule.id, JSON.stringify(rule)));
      rules.set(rule.id, rule);
      return { replaced };
    },
    remove(id) {
      get(id);
      refuseFile(id);
      store.transaction(() => void drop.run(id));
      rules.delete(id);
    },
  };
}
