import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLedger, verifyLedger } from '@grace/ledger';
import { floor } from '../floor.ts';
import type { Sample } from './sample.ts';

export async function measureLedger(): Promise<Sample> {
  const bare = await floor('append');
  const dir = mkdtempSync(join(tmpdir(), 'grace-bench-'));
  try {
    const records = 50_000;
    const payload = JSON.stringify({ text: 'x'.repeat(268) });
    const ledger = await openLedger({ dir });
    let started = performance.now();
    // As many under way as two batches, so that one is written while the next fills.
    for (let done = 0; done < records; ) {
      const batch: Promise<unknown>[] = [];
      for (let n = 0; n < 512 && done < records; n++, done++) batch.push(ledger.append(payload));
      await Promise.all(batch);
    }
    const append = records / ((performance.now() - started) / 1000);
    await ledger.close();
    started = performance.now();
    const { ok } = await verifyLedger(dir);
    if (!ok) throw new Error('the ledger just written does not verify');
    return {
      append: { floor: bare['appendPerSecond']!, value: append },
      verify: { floor: bare['verifyPerSecond']!, value: records / ((performance.now() - started) / 1000) },
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
