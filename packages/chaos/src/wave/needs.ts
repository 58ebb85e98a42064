import { disturbs } from '../scenario/scenario.ts';
import type { PlannedTrial, PlannedWave } from './plan.ts';

/** The wave without the trials for which this system lacks a kernel, and why each was left out. */
export function withNeedsMet(wave: PlannedWave, kernels: readonly string[]): { wave: PlannedWave; missing: string[] } {
  const reasons = new Set<string>();
  const isMet = (trial: PlannedTrial): boolean => {
    const absent = needsOf(trial).filter((kernel) => !kernels.includes(kernel));
    if (absent.length > 0) reasons.add(`${trial.id} needs ${absent.join(', ')}, which this system does not have`);
    return absent.length === 0;
  };
  const groups = wave.groups.map((group) => group.filter(isMet)).filter((group) => group.length > 0);
  return { wave: { ...wave, groups }, missing: [...reasons] };
}

function needsOf({ scenario, variant }: PlannedTrial): string[] {
  const { observe, marker } = variant;
  return [...new Set([...scenario.needs, ...observe, ...disturbs(variant), ...(marker ? [marker.kernel] : [])])];
}
