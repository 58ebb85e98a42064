import { systemClock } from '@grace/contracts';
import { processRssBytes, threadCpuMs } from '../fault/process-table.ts';
import type { TargetView } from './target.ts';

/** What the laboratory itself read of the target at one moment, from `/proc`; null where it is gone or there is none. */
export interface TargetReading {
  atMono: number;
  /** CPU time of its thread since that started. */
  cpuMs: number | null;
  /** Memory of its process. */
  rssBytes: number | null;
}

export interface TargetReadings {
  readonly all: readonly TargetReading[];
  stop(): void;
}

const EVERY_MS = 50;

/** Reads the thread and the process that the target had before the fault, until it is stopped. */
export function followTarget({ pid, tid }: Pick<TargetView, 'pid' | 'tid'>): TargetReadings {
  const all: TargetReading[] = [];
  if (pid === null) return { all, stop: () => {} };
  const read = (): void => {
    const cpuMs = tid === null ? null : threadCpuMs(pid, tid);
    all.push({ atMono: systemClock.monoMs(), cpuMs, rssBytes: processRssBytes(pid) });
  };
  // A run that breaks off in the middle does not wait for it.
  const timer = setInterval(read, EVERY_MS).unref();
  read();
  return { all, stop: () => clearInterval(timer) };
}

/** Share of one core between two instants, over the readings within; null when they span less than `leastMs`. */
export function shareBetween(
  readings: readonly TargetReading[],
  fromMono: number,
  toMono: number,
  leastMs: number,
): { share: number; overMs: number } | null {
  const inside = readings.filter(({ atMono, cpuMs }) => cpuMs !== null && atMono >= fromMono && atMono <= toMono);
  const first = inside[0];
  const last = inside.at(-1);
  if (!first || !last || last.atMono - first.atMono < leastMs) return null;
  const overMs = last.atMono - first.atMono;
  return { share: (last.cpuMs! - first.cpuMs!) / overMs, overMs };
}
