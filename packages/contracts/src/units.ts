const DURATION: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE: Record<string, number> = { B: 1, kB: 1000, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** Milliseconds of `250`, `"250ms"`, `"10s"`, `"1.5m"`, `"2h"` or `"7d"`; undefined when it is none of these or negative. */
export function parseDuration(value: unknown): number | undefined {
  return parseQuantity(value, DURATION);
}

/** Bytes of `1024`, `"64MB"`, `"64MiB"` and so on; undefined when it is none of these or negative. */
export function parseSize(value: unknown): number | undefined {
  return parseQuantity(value, SIZE);
}

/** A share of one core: `"20%"` or `0.2`; undefined when it is neither, below 1 % or above a whole core. */
export function parseShare(value: unknown): number | undefined {
  const percent = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*%$/.exec(value.trim()) : null;
  const share = percent ? Number(percent[1]) / 100 : value;
  return typeof share === 'number' && share >= SHARE_MIN && share <= 1 ? share : undefined;
}

/** Below this a thread waits longer between two turns than any heartbeat may be late. */
const SHARE_MIN = 0.01;

export const durationUnits = Object.keys(DURATION);
export const sizeUnits = Object.keys(SIZE);

function parseQuantity(value: unknown, units: Record<string, number>): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(value.trim());
  const factor = match && Object.hasOwn(units, match[2]!) ? units[match[2]!] : undefined;
  return factor === undefined ? undefined : Math.round(Number(match![1]) * factor);
}
