import type { Measured } from '@grace/contracts';

/** Number formats of the report: no locale, no clock, the same text for the same number on every machine. */

const UNKNOWN = 'not recorded';

/** `12.3`, `12`, `0.04`: at most `digits` decimals, trailing zeros removed. */
export function decimal(value: number, digits = 1): string {
  if (!Number.isFinite(value)) return UNKNOWN;
  const fixed = value.toFixed(digits);
  const text = fixed.includes('.') ? fixed.replace(/0+$/, '').replace(/\.$/, '') : fixed;
  const grouped = grouping(text);
  return grouped === '-0' ? '0' : grouped;
}

/** `20,000`. */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? UNKNOWN : decimal(value, 0);
}

/** `1 trial`, `3 trials`. */
export function plural(value: number, noun: string, many = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : many}`;
}

/** `0.4 ms`, `123 ms`, `4.21 s`, `90 s`, `2 min 5 s`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return UNKNOWN;
  const size = Math.abs(ms);
  if (size < 10) return `${decimal(ms, 1)} ms`;
  if (size < 999.5) return `${decimal(ms, 0)} ms`;
  if (size < 119_995) return `${decimal(ms / 1000, 2)} s`;
  const seconds = Math.round(size / 1000);
  const rest = seconds % 60;
  return `${ms < 0 ? '-' : ''}${count(Math.floor(seconds / 60))} min${rest === 0 ? '' : ` ${rest} s`}`;
}

/** A point of the run: `T+12.345 s`, seconds after the first record of the run. */
export function instant(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return UNKNOWN;
  return `T${ms < 0 ? '-' : '+'}${grouping((Math.abs(ms) / 1000).toFixed(3))} s`;
}

/** A measured time, a censored one (`> 60 s`), or that there is none. */
export function measured(value: Measured | undefined): string {
  if (value === null || value === undefined) return 'none';
  return 'ms' in value ? duration(value.ms) : `> ${duration(value.moreThanMs)}`;
}

/** `33.3 %` of a share 0..1. */
export function percent(share: number | null | undefined): string {
  return share === null || share === undefined || !Number.isFinite(share) ? UNKNOWN : `${decimal(share * 100, 1)} %`;
}

/** `205 MiB` of bytes; less than 10 with one decimal. */
export function megabytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined || !Number.isFinite(bytes)) return UNKNOWN;
  const size = bytes / 1024 ** 2;
  return `${decimal(size, Math.abs(size) < 10 ? 1 : 0)} MiB`;
}

/** `2026-11-15` and `09:56:09` in UTC. */
export function utc(wallMs: number | null): { date: string; time: string; iso: string } {
  const date = new Date(wallMs ?? Number.NaN);
  if (Number.isNaN(date.getTime())) return { date: UNKNOWN, time: UNKNOWN, iso: UNKNOWN };
  const iso = date.toISOString();
  const [day, time] = iso.split('T') as [string, string];
  return { date: day, time: time.slice(0, 8), iso };
}

/** `a`, `a and b`, `a, b and c`; long lists are cut and say how many more there are. */
export function list(items: readonly string[], most = 12): string {
  if (items.length === 0) return 'none';
  const shown = items.length > most ? [...items.slice(0, most), `${count(items.length - most)} more`] : [...items];
  const last = shown.pop() as string;
  return shown.length === 0 ? last : `${shown.join(', ')} and ${last}`;
}

/** An observed value as one short line: `cpuMs 980, state running`. */
export function observed(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'number') return decimal(value, 2);
  if (typeof value !== 'object') return String(value);
  const entries = Object.entries(value);
  if (entries.length === 0) return 'nothing';
  if (Array.isArray(value)) return list(value.map(observed), 6);
  return entries
    .slice(0, 12)
    .map(
      ([key, inner]) =>
        `${key} ${typeof inner === 'object' && inner !== null ? `(${observed(inner)})` : observed(inner)}`,
    )
    .join(', ');
}

function grouping(text: string): string {
  const [whole, rest] = text.split('.') as [string, string?];
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return rest === undefined ? grouped : `${grouped}.${rest}`;
}
