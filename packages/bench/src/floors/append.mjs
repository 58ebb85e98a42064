// Floor of the ledger: batches of 256 records of 280 B, SHA-256 chain, one write and one fdatasync per batch; and reading them back.
import { createHash } from 'node:crypto';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const records = 50_000;
const dir = mkdtempSync(join(tmpdir(), 'grace-floor-'));
const path = join(dir, 'log');
const payload = JSON.stringify({ text: 'x'.repeat(268) });
const fd = openSync(path, 'a');
let started = performance.now();
let previous = Buffer.alloc(32);
for (let done = 0; done < records; ) {
  const parts = [];
  for (let n = 0; n < 256 && done < records; n++, done++) {
    previous = createHash('sha256').update(previous).update(payload).digest();
    parts.push(Buffer.from(payload), previous);
  }
  writeSync(fd, Buffer.concat(parts));
  fdatasyncSync(fd);
}
const appendPerSecond = records / ((performance.now() - started) / 1000);
closeSync(fd);
started = performance.now();
const bytes = readFileSync(path);
const size = Buffer.byteLength(payload);
previous = Buffer.alloc(32);
for (let at = 0; at < bytes.length; at += size + 32) {
  previous = createHash('sha256')
    .update(previous)
    .update(bytes.subarray(at, at + size))
    .digest();
  if (!previous.equals(bytes.subarray(at + size, at + size + 32))) throw new Error('broken chain');
}
const verifyPerSecond = records / ((performance.now() - started) / 1000);
rmSync(dir, { recursive: true });
console.log(JSON.stringify({ appendPerSecond, verifyPerSecond }));
