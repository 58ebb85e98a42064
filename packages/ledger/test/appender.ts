// Appends without end and tells on stdout, synchronously, one line for each record, "seq hash text": what was acknowledged, or, written
// through, what `append` has only returned from.
import { writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { openLedger } from '../src/index.ts';

const [dir, prefix, told] = process.argv.slice(2) as [string, string, 'acknowledged' | 'returned'];
const writeThrough = told === 'returned';
const ledger = await openLedger({ dir, segmentBytes: 20_000, maxBatch: 16, groupCommitMs: 1, writeThrough });
let made = 0;
const nextText = () => `${prefix}-${made++}-${'x'.repeat(made % 300)}`;
const appendForever = async () => {
  for (;;) {
    const text = nextText();
    const { seq, hash } = await ledger.append(text);
    writeSync(1, `${seq} ${hash} ${text}\n`);
  }
};
const throwIntoForever = async () => {
  for (;;) {
    const text = nextText();
    void ledger.append(text);
    const { seq, hash } = ledger.last;
    writeSync(1, `${seq} ${hash} ${text}\n`);
    if (made % 16 === 0) await setImmediate();
  }
};
await (writeThrough ? throwIntoForever() : Promise.all(Array.from({ length: 24 }, appendForever)));
