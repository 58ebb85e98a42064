import { decimal } from '../text/units.ts';
import { rule, write } from './svg.ts';

export interface Scale {
  (value: number): number;
  ticks: { value: number; label: string }[];
}

/** Seconds of the run on a line, with about eight round ticks. */
export function timeScale(fromMs: number, toMs: number, x1: number, x2: number): Scale {
  const span = Math.max(toMs - fromMs, 1);
  const step = round(span / 8);
  const ticks = [];
  for (let at = Math.ceil(fromMs / step) * step; at <= toMs && ticks.length < 20; at += step) {
    ticks.push({ value: at, label: `${decimal(at / 1000, 3)} s` });
  }
  return Object.assign((ms: number) => x1 + ((clamp(ms, fromMs, toMs) - fromMs) / span) * (x2 - x1), { ticks });
}

/** Milliseconds on a logarithmic line: a tick for each power of ten. */
export function logScale(smallestMs: number, largestMs: number, x1: number, x2: number): Scale {
  const low = Math.floor(Math.log10(Math.max(smallestMs, 0.1)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(largestMs, 0.2))));
  const ticks = [];
  for (let power = low; power <= high; power += 1) {
    const ms = 10 ** power;
    ticks.push({ value: ms, label: ms >= 1000 ? `${decimal(ms / 1000, 0)} s` : `${decimal(ms, 1)} ms` });
  }
  const place = (ms: number) => {
    const at = (Math.log10(clamp(ms, 10 ** low, 10 ** high)) - low) / (high - low);
    return x1 + at * (x2 - x1);
  };
  return Object.assign(place, { ticks });
}

/** Vertical lines at the ticks with their labels below. */
export function axis(scale: Scale, top: number, bottom: number): string[] {
  return scale.ticks.flatMap(({ value, label }) => [
    rule(scale(value), top, scale(value), bottom),
    write(scale(value), bottom + 14, label, 'dim', 'middle'),
  ]);
}

function round(step: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(step, 1)));
  return power * (step / power <= 1 ? 1 : step / power <= 2 ? 2 : step / power <= 5 ? 5 : 10);
}

function clamp(value: number, low: number, high: number): number {
  return Number.isFinite(value) ? Math.min(Math.max(value, low), high) : low;
}
