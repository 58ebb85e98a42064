import type { ControlClient } from '@grace/control';
import type { Marker, VerbCall } from '../scenario/scenario.ts';
import type { CheckContext, CheckResult } from './context.ts';

const DEADLINE_MS = 5000;

/** Puts the marker's text wherever the input says `{marker}`. */
function fill(input: unknown, text: string): unknown {
  if (typeof input === 'string') return input.replaceAll('{marker}', text);
  if (Array.isArray(input)) return input.map((item) => fill(item, text));
  if (input === null || typeof input !== 'object') return input ?? {};
  return Object.fromEntries(Object.entries(input).map(([key, value]) => [key, fill(value, text)]));
}

async function call(control: ControlClient, kernel: string, { verb, input }: VerbCall, text: string): Promise<unknown> {
  return control.request('call', { kernel, verb, input: fill(input, text), from: 'cli' }, DEADLINE_MS);
}

export async function writeMarker(control: ControlClient, marker: Marker, text: string): Promise<void> {
  await call(control, marker.kernel, marker.write, text);
}

export async function removeMarker(control: ControlClient, marker: Marker, text: string): Promise<void> {
  if (marker.remove) await call(control, marker.kernel, marker.remove, text);
}

/** What was written through a verb before the fault must come back through a verb after it. */
export async function stateIntact({ control, variant, marker }: CheckContext): Promise<CheckResult> {
  const expected = `${variant.marker?.kernel} still knows ${marker ?? 'the marker'}`;
  if (variant.marker === null || marker === null)
    return { expected, observed: 'the marker could not be written before the fault', ok: null };
  const answer = JSON.stringify(await call(control, variant.marker.kernel, variant.marker.read, marker));
  const ok = answer?.includes(marker) ?? false;
  return { expected, observed: ok ? 'it does' : `it answered ${answer?.slice(0, 120)}`, ok };
}
