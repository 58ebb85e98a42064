// Floor of durable messages: SQLite, WAL with full sync, one row for each message of 280 B, 256 rows in a transaction.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const messages = 60_000;
const dir = mkdtempSync(join(tmpdir(), 'grace-floor-'));
const payload = JSON.stringify({ text: 'x'.repeat(268) });
const db = new DatabaseSync(join(dir, 'floor.sqlite'));
db.exec(
  'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE messages (seq INTEGER PRIMARY KEY, body TEXT)',
);
const insert = db.prepare('INSERT INTO messages (body) VALUES (?)');
const started = performance.now();
for (let done = 0; done < messages; ) {
  db.exec('BEGIN IMMEDIATE');
  for (let n = 0; n < 256 && done < messages; n++, done++) insert.run(payload);
  db.exec('COMMIT');
}
const batchedPerSecond = messages / ((performance.now() - started) / 1000);
db.close();
rmSync(dir, { recursive: true });
console.log(JSON.stringify({ batchedPerSecond }));
