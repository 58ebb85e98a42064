import { type KernelManifest, TUNABLE, type TunableKnob } from '@grace/contracts';
import type { Draft } from './draft.ts';

/** A value of the manifest is replaced while the kernel runs; what is decided from now on is decided with it. */
export function tuneByOrder(
  draft: Draft,
  order: { kernel: string; knob: TunableKnob; value: number; by: string; reason: string },
): void {
  const { kernel: id, knob, value, by, reason } = order;
  const kernel = draft.kernel(id);
  const from = tunedValue(kernel.manifest, knob);
  if (from === value || tuneProblem(kernel.manifest, knob, value) !== undefined) return;
  kernel.manifest = tuned(kernel.manifest, knob, value);
  // The next one was due by the interval before.
  if (knob === 'probe.intervalMs' && kernel.state === 'running')
    kernel.probe.dueMono = Math.min(kernel.probe.dueMono, draft.now + value);
  const { cell, incarnation } = kernel;
  draft.journal({ name: 'kernel:tune', kernel: id, cell, incarnation, data: { knob, from, to: value, by, reason } });
}

export function tunedValue(manifest: KernelManifest, knob: TunableKnob): number {
  switch (knob) {
    case 'probe.intervalMs':
      return manifest.probe.intervalMs;
    case 'hungAfterMs':
      return manifest.hungAfterMs;
    case 'restart.backoffMaxMs':
      return manifest.restart.backoffMaxMs;
  }
}

export function tuned(manifest: KernelManifest, knob: TunableKnob, value: number): KernelManifest {
  switch (knob) {
    case 'probe.intervalMs':
      return { ...manifest, probe: { ...manifest.probe, intervalMs: value } };
    case 'hungAfterMs':
      return { ...manifest, hungAfterMs: value };
    case 'restart.backoffMaxMs':
      return { ...manifest, restart: { ...manifest.restart, backoffMaxMs: value } };
  }
}

/** Why the value may not be; undefined: it may. Late comes before hung, and the first wait is not above the longest, as in a configuration. */
export function tuneProblem(manifest: KernelManifest, knob: TunableKnob, value: number): string | undefined {
  const { min, max } = TUNABLE[knob];
  const least =
    knob === 'hungAfterMs'
      ? Math.max(min, manifest.lateAfterMs)
      : knob === 'restart.backoffMaxMs'
        ? Math.max(min, manifest.restart.backoffMs)
        : min;
  if (Number.isInteger(value) && value >= least && value <= max) return undefined;
  return `expected a whole number of ms from ${least} to ${max}, got ${value}`;
}
