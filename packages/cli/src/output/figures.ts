/** `-` for what could not be measured. */
export const NOTHING = '-';

/** `950 ms`, `3.2 s`, `4m 05s`, `2h 03m`, `3d 04h` */
export function showMs(ms: number | null): string {
  if (ms === null) return NOTHING;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  const pad = (value: number): string => String(value).padStart(2, '0');
  if (minutes < 60) return `${minutes}m ${pad(Math.floor(ms / 1000) % 60)}s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h ${pad(minutes % 60)}m` : `${Math.floor(hours / 24)}d ${pad(hours % 24)}h`;
}

/** `812 B`, `4.2 MB`; decimal units. */
export function showBytes(bytes: number | null): string {
  if (bytes === null) return NOTHING;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Percent of one core. */
export function showPercent(percent: number | null): string {
  return percent === null ? NOTHING : `${percent.toFixed(percent < 9.95 ? 1 : 0)} %`;
}

/** `20 %`, `12.5 %` of `0.2`, `0.125`. */
export function showShare(share: number | null): string {
  return share === null ? NOTHING : `${Math.round(share * 1000) / 10} %`;
}

/** `14:03:07.123`, local time. */
export function showTime(wallMs: number): string {
  const at = new Date(wallMs);
  const pad = (value: number, size = 2): string => String(value).padStart(size, '0');
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}`;
}
