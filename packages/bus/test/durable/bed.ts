import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { BrokerOptions, DurableOptions } from '@grace/bus/broker';
import type { DurableStatistics } from '@grace/contracts';
import { type Bed, createBed, isBalanced } from '../bed.ts';

export interface KeptBed extends Bed {
  durable(): DurableStatistics;
}

/** A folder for what brokers keep, and brokers on it, one after the other. Everything ends with the test. */
export function keptBeds(t: TestContext): {
  dir: string;
  start(durable?: Partial<DurableOptions>, options?: Partial<BrokerOptions>): Promise<KeptBed>;
} {
  const dir = mkdtempSync(join(tmpdir(), 'grace-durable-'));
  const beds: Bed[] = [];
  t.after(async () => {
    for (const bed of beds) await bed.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return {
    dir,
    async start(durable = {}, options = {}) {
      const bed = await createBed({ durable: { dir, ...durable }, ...options });
      beds.push(bed);
      await bed.broker.open();
      return { ...bed, durable: () => bed.broker.statistics().durable! };
    },
  };
}

/** Every family adds up at this moment, and what waits on disk is in it. */
export function assertBalanced({ broker }: Bed): void {
  const { families, durable } = broker.statistics();
  for (const [family, account] of Object.entries(families)) {
    assert.ok(isBalanced(account), `${family}: ${JSON.stringify(account)} ${JSON.stringify(durable)}`);
  }
}
