import type { DatabaseSync } from 'node:sqlite';
import type { Write } from './orders.ts';

/** Carries out changes; the caller holds the transaction. */
export function createWriter(db: DatabaseSync): (write: Write) => void {
  const block = db.prepare(
    `INSERT INTO blocks (line, first, count, at, expires, subject, sums) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (line, first) DO UPDATE SET count = excluded.count RETURNING id`,
  );
  const body = db.prepare('INSERT OR REPLACE INTO bodies (id, body) VALUES (?, ?)');
  const unbody = db.prepare('DELETE FROM bodies WHERE id = (SELECT id FROM blocks WHERE line = ? AND first = ?)');
  const drop = db.prepare('DELETE FROM blocks WHERE line = ? AND first = ?');
  const unmark = db.prepare('DELETE FROM marks WHERE line = ? AND first = ?');
  const mark = db.prepare('INSERT OR REPLACE INTO marks (line, first, done, sums, failures) VALUES (?, ?, ?, ?, ?)');
  const expiry = db.prepare('UPDATE blocks SET expires = ?3 WHERE line = ?1 AND first = ?2 AND expires IS NOT ?3');
  const sent = db.prepare(
    'INSERT INTO lines (line, sent) VALUES (?, ?) ON CONFLICT (line) DO UPDATE SET sent = max(sent, excluded.sent)',
  );
  const ids = db.prepare('INSERT OR REPLACE INTO ids (number, at, ids) VALUES (?, ?, ?)');
  const consumer = db.prepare('INSERT OR REPLACE INTO consumers (number, description) VALUES (?, ?)');
  const letter = db.prepare(
    'INSERT OR REPLACE INTO letters (id, consumer, subject, died, attempts, reason, error, bytes, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const unletter = db.prepare('DELETE FROM letters WHERE id = ?');
  return (write) => {
    switch (write[0]) {
      case 'block': {
        const [, line, first, count, atMs, expiresMs, subject, sums, bytes] = write;
        const { id } = block.get(line, first, count, atMs, expiresMs, subject, sums) as { id: number };
        body.run(id, bytes);
        return;
      }
      case 'drop':
        unbody.run(write[1], write[2]);
        drop.run(write[1], write[2]);
        unmark.run(write[1], write[2]);
        return;
      case 'mark':
        mark.run(write[1], write[2], write[3], write[4], write[5]);
        expiry.run(write[1], write[2], write[6]);
        return;
      case 'sent':
        sent.run(write[1], write[2]);
        return;
      case 'ids':
        ids.run(write[1], write[2], write[3]);
        return;
      case 'consumer':
        consumer.run(write[1], write[2]);
        return;
      case 'letter': {
        const [, ...row] = write;
        letter.run(...row);
        return;
      }
      case 'unletter':
        unletter.run(write[1]);
        return;
      default:
        write satisfies never;
    }
  };
}
