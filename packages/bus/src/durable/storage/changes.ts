import type { DatabaseSync } from 'node:sqlite';
import { SubjectTrie } from '../../subject/trie.ts';
import { type ClaimResult, LINES_PER_CONSUMER, type StorageOrder, type Swept } from './orders.ts';
import { lines } from './reads.ts';

/** Blocks that one sweep speaks of. */
const SWEPT_BLOCKS = 256;

type Order<T extends StorageOrder['t']> = Extract<StorageOrder, { t: T }>;

/** Keeps the consumer, and moves what was unclaimed and matches to its lines, in its order. */
export function claim(db: DatabaseSync, { consumer, description, pattern }: Order<'claim'>): ClaimResult {
  db.prepare('INSERT OR REPLACE INTO consumers (number, description) VALUES (?, ?)').run(consumer, description);
  const matching = new SubjectTrie<true>();
  matching.add(pattern, true);
  const subjects = db.prepare('SELECT DISTINCT subject FROM blocks WHERE line < ?').all(LINES_PER_CONSUMER) as {
    subject: string;
  }[];
  const wanted = new Set(subjects.map(({ subject }) => subject).filter((subject) => matching.matches(subject)));
  const firstLine = consumer * LINES_PER_CONSUMER;
  if (wanted.size > 0) {
    const move = db.prepare('UPDATE blocks SET line = ?, first = ?, subject = NULL WHERE id = ?');
    const unmark = db.prepare('DELETE FROM marks WHERE line = ? AND first = ?');
    for (let lane = 0; lane < LINES_PER_CONSUMER; lane++) {
      let [next = 1] = lines(db, firstLine + lane, firstLine + lane).map((line) => line.next);
      const blocks = db.prepare('SELECT id, first, count, subject FROM blocks WHERE line = ? ORDER BY first').all(lane);
      for (const block of blocks as { id: number; first: number; count: number; subject: string }[]) {
        if (!wanted.has(block.subject)) continue;
        const marked = db.prepare('SELECT 1 FROM marks WHERE line = ? AND first = ?').get(lane, block.first);
        if (marked) {
          db.prepare(
            'INSERT OR REPLACE INTO marks SELECT ?, ?, done, sums, failures FROM marks WHERE line = ? AND first = ?',
          ).run(firstLine + lane, next, lane, block.first);
          unmark.run(lane, block.first);
        }
        move.run(firstLine + lane, next, block.id);
        next += block.count;
      }
    }
  }
  return {
    lines: lines(db, firstLine, firstLine + LINES_PER_CONSUMER - 1),
    unclaimed: lines(db, 0, LINES_PER_CONSUMER - 1),
  };
}

export function forget(db: DatabaseSync, { consumer }: Order<'forget'>): void {
  const first = consumer * LINES_PER_CONSUMER;
  const last = first + LINES_PER_CONSUMER - 1;
  db.prepare('DELETE FROM consumers WHERE number = ?').run(consumer);
  db.prepare('DELETE FROM bodies WHERE id IN (SELECT id FROM blocks WHERE line BETWEEN ? AND ?)').run(first, last);
  for (const table of ['blocks', 'marks', 'lines'])
    db.prepare(`DELETE FROM ${table} WHERE line BETWEEN ? AND ?`).run(first, last);
}

/** Looks for what is over, and lets go of what nobody counts: ids out of the window, letters beyond their number. */
export function sweep(db: DatabaseSync, { nowMs, unclaimedBeforeMs, idsBeforeMs, lettersMax }: Order<'sweep'>): Swept {
  db.prepare('DELETE FROM ids WHERE at < ?').run(idsBeforeMs);
  db.prepare('DELETE FROM letters WHERE id <= (SELECT id FROM letters ORDER BY id DESC LIMIT 1 OFFSET ?)').run(
    lettersMax,
  );
  const { letters } = db.prepare('SELECT count(*) AS letters FROM letters').get() as { letters: number };
  const unclaimed: Swept['unclaimed'] = [];
  for (let line = 0; line < LINES_PER_CONSUMER; line++) {
    for (const { first, sums } of oldBlocks(db, line, unclaimedBeforeMs))
      unclaimed.push([line, first, JSON.parse(sums)]);
  }
  const late = db
    .prepare('SELECT line, first FROM blocks WHERE expires IS NOT NULL AND expires <= ? ORDER BY line, first LIMIT ?')
    .all(nowMs, SWEPT_BLOCKS) as { line: number; first: number }[];
  return { unclaimed, late: late.map(({ line, first }) => [line, first]), letters };
}

interface OldBlock {
  first: number;
  sums: string;
}

/** The oldest blocks of a line; the first that is young enough ends the search, since they lie in their order. */
function oldBlocks(db: DatabaseSync, line: number, beforeMs: number): OldBlock[] {
  const rows = db
    .prepare(
      `SELECT b.first, b.at, coalesce(m.sums, b.sums) AS sums FROM blocks b
       LEFT JOIN marks m ON m.line = b.line AND m.first = b.first WHERE b.line = ? ORDER BY b.first`,
    )
    .iterate(line) as Iterable<OldBlock & { at: number }>;
  const old: OldBlock[] = [];
  for (const row of rows) {
    if (row.at >= beforeMs || old.length === SWEPT_BLOCKS) break;
    old.push(row);
  }
  return old;
}
