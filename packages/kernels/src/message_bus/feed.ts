import type { BusConnection } from '@grace/bus/client';
import type { AnyRecord } from '@grace/contracts';
import type { KernelLog } from '@grace/kernel-sdk';

/** Failures are told in one line at most this often: a bus in trouble has more to do than to log. */
const WARN_EVERY_MS = 5000;

/** Publishes journal records, in their order, as `system.events.<noun>.<verb>`. */
export function createFeed(client: BusConnection, log: KernelLog, nowMono: () => number) {
  let failed = 0;
  let warnedMono = Number.NEGATIVE_INFINITY;
  const warn = (error: unknown): void => {
    failed++;
    if (nowMono() - warnedMono < WARN_EVERY_MS) return;
    warnedMono = nowMono();
    log.warn('journal records were not accepted by the bus', { failed, error: String(error) });
  };
  return (records: unknown[], missed: number): void => {
    if (missed > 0) log.warn('journal records were dropped before the bus could take them', { missed });
    for (const record of records as AnyRecord[]) {
      const options = record.correlation === undefined ? {} : { correlation: record.correlation };
      client.publish(`system.events.${record.name.replace(':', '.')}`, record, options).catch(warn);
    }
  };
}
