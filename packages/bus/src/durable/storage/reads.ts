import type { DatabaseSync } from 'node:sqlite';
import { SubjectTrie } from '../../subject/trie.ts';
import { createGauge } from './file.ts';
import type { LetterQuery, LetterRow, LineLoad, Load, Page, PageRow } from './orders.ts';

type Sums = LineLoad['sums'];

/** Everything but the messages. */
export function load(db: DatabaseSync): Load {
  const consumers = db.prepare('SELECT number, description FROM consumers ORDER BY number').all() as {
    number: number;
    description: string;
  }[];
  const ids = db.prepare('SELECT at, ids FROM ids ORDER BY number').all() as { at: number; ids: string }[];
  const numbers = db
    .prepare(
      'SELECT (SELECT max(number) FROM ids) AS ids, (SELECT max(id) FROM letters) AS letter, (SELECT count(*) FROM letters) AS letters',
    )
    .get() as { ids: number | null; letter: number | null; letters: number };
  return {
    consumers: consumers.map(({ number, description }) => [number, description]),
    lines: lines(db, 0, Number.MAX_SAFE_INTEGER),
    ids: ids.map((row) => [row.at, row.ids]),
    nextIds: (numbers.ids ?? 0) + 1,
    letters: numbers.letters,
    nextLetter: (numbers.letter ?? 0) + 1,
    fileBytes: createGauge(db).fileBytes(),
  };
}

/** Lines from `from` to `to`, what waits in them counted by family. */
export function lines(db: DatabaseSync, from: number, to: number): LineLoad[] {
  const found = new Map<number, LineLoad>();
  const at = (line: number): LineLoad => {
    const known = found.get(line) ?? { line, next: 1, sums: [], oldestMs: null, sent: 0 };
    found.set(line, known);
    return known;
  };
  const rows = db
    .prepare(
      `SELECT b.line, b.first, b.count, b.at, coalesce(m.sums, b.sums) AS sums FROM blocks b
       LEFT JOIN marks m ON m.line = b.line AND m.first = b.first WHERE b.line BETWEEN ? AND ? ORDER BY b.line, b.first`,
    )
    .iterate(from, to) as Iterable<{ line: number; first: number; count: number; at: number; sums: string }>;
  for (const row of rows) {
    const known = at(row.line);
    known.next = row.first + row.count;
    known.oldestMs ??= row.at;
    for (const sum of JSON.parse(row.sums) as Sums) add(known.sums, sum);
  }
  for (const { line, sent } of db.prepare('SELECT line, sent FROM lines WHERE line BETWEEN ? AND ?').all(from, to) as {
    line: number;
    sent: number;
  }[]) {
    // A line whose blocks are all gone goes on after the last place that was sent, so that the mark stays true.
    const known = at(line);
    known.sent = sent;
    known.next = Math.max(known.next, sent + 1);
  }
  return [...found.values()];
}

/** Messages and bytes of a page; the last block may go beyond. */
const PAGE_MESSAGES = 256;
const PAGE_BYTES = 1024 ** 2;

export function page(db: DatabaseSync, line: number, from: number, blocks: number): Page {
  const found = db
    .prepare(
      `SELECT b.first, b.count, b.at AS atMs, bodies.body, m.done, m.failures FROM blocks b JOIN bodies ON bodies.id = b.id
       LEFT JOIN marks m ON m.line = b.line AND m.first = b.first WHERE b.line = ? AND b.first >= ? ORDER BY b.first LIMIT ?`,
    )
    .iterate(line, from, blocks) as unknown as Iterable<PageRow>;
  const rows: PageRow[] = [];
  let [messages, bytes] = [0, 0];
  for (const row of found) {
    if (messages >= PAGE_MESSAGES || bytes >= PAGE_BYTES) return { rows, end: false };
    rows.push({ ...row });
    messages += row.count;
    bytes += row.body.byteLength;
  }
  return { rows, end: rows.length < blocks };
}

export function letters(db: DatabaseSync, query: LetterQuery): LetterRow[] {
  const subjects = new SubjectTrie<true>();
  if (query.subject !== undefined) subjects.add(query.subject, true);
  const rows = db
    .prepare(
      `SELECT id, consumer, subject, died, attempts, reason, error, bytes, body FROM letters
       WHERE id > ?1 AND (?2 IS NULL OR id = ?2) AND (?3 IS NULL OR consumer = ?3) ORDER BY id`,
    )
    .iterate(query.after, query.id ?? null, query.consumer ?? null) as Iterable<Record<string, unknown>>;
  const found: LetterRow[] = [];
  for (const row of rows) {
    if (query.subject !== undefined && !subjects.matches(row['subject'] as string)) continue;
    found.push(Object.values(row) as LetterRow);
    if (found.length === query.limit) break;
  }
  return found;
}

function add(sums: Sums, [family, count, bytes]: Sums[number]): void {
  const known = sums.find(([name]) => name === family);
  if (!known) sums.push([family, count, bytes]);
  else {
    known[1] += count;
    known[2] += bytes;
  }
}
