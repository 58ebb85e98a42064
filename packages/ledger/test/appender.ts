// Appends without end and tells on stdout, synchronously, what was acknowledged: one line for each, "seq hash text".
import { writeSync } from 'node:fs';
import { openLedger } from '../src/index.ts';

const [dir, prefix] = process.argv.slice(2) as [string, string];
const ledger = await openLedger({ dir, segmentBytes: 20_000, maxBatch: 16, groupCommitMs: 1 });
let made = 0;
const appendForever = async () => {
  for (;;) {
    const text = `${prefix}-${made++}-${'x'.repeat(made % 300)}`;
    const { seq, hash } = await ledger.append(text);
    writeSync(1, `${seq} ${hash} ${text}\n`);
  }
};
await Promise.all(Array.from({ length: 24 }, appendForever));
