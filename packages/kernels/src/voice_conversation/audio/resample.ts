import { toSample } from './pcm.ts';
import type { Sound } from './wav.ts';

/** Zero crossings of the sinc on each side: about 60 dB between pass and stop band, more than speech needs. */
const LOBES = 12;
/** Places between two samples for which taps are made; a ratio with more of them takes the nearest. */
const PHASES_MAX = 512;

/** The same sound at another rate: a sinc under a Hann window, low-pass at the lower of the two rates. */
export function resample({ rate, samples }: Sound, to: number): Sound {
  if (rate === to) return { rate, samples };
  const cutoff = Math.min(1, to / rate);
  const reach = Math.ceil(LOBES / cutoff);
  const phases = Math.min(PHASES_MAX, to / gcd(rate, to));
  const taps = Array.from({ length: phases }, (_, p) => tapsAt(p / phases, reach, cutoff));
  const out = new Int16Array(Math.floor((samples.length * to) / rate));
  for (let i = 0; i < out.length; i++) {
    const at = (i * rate) / to;
    const nearest = Math.round((at - Math.floor(at)) * phases);
    const [first, phase] = nearest === phases ? [Math.floor(at) + 1, 0] : [Math.floor(at), nearest];
    const own = taps[phase]!;
    let sum = 0;
    for (let k = 0; k < own.length; k++) sum += own[k]! * (samples[first - reach + 1 + k] ?? 0);
    out[i] = toSample(sum);
  }
  return { rate: to, samples: out };
}

/** Weights of the samples from `reach - 1` before to `reach` after a place that lies `offset` of a sample behind one. */
function tapsAt(offset: number, reach: number, cutoff: number): Float64Array {
  const taps = Float64Array.from({ length: reach * 2 }, (_, k) => {
    const x = k - reach + 1 - offset;
    if (Math.abs(x) >= reach) return 0;
    const angle = Math.PI * x * cutoff;
    return (x === 0 ? 1 : Math.sin(angle) / angle) * (0.5 + 0.5 * Math.cos((Math.PI * x) / reach));
  });
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => tap / sum);
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
