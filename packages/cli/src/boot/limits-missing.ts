import type { StatusDocument, SystemPlan } from '@grace/contracts';

/** The line for limits that the plan asks for and nothing on this machine enforces; undefined when there is none. */
export function limitsMissing(
  { cpu }: StatusDocument['system']['enforcement'],
  { kernels, settings }: Pick<SystemPlan, 'kernels' | 'settings'>,
): string | undefined {
  if (cpu !== 'none') return undefined;
  const limited = kernels.filter(({ limits }) => limits.cpu !== null).map(({ id }) => id);
  const asked = [
    ...(limited.length > 0 ? [`the CPU limit of ${limited.join(', ')}`] : []),
    ...(settings.overloadCpu === null ? [] : ['the limit of overloaded kernels']),
  ];
  if (asked.length === 0) return undefined;
  return `not enforced on this machine: ${asked.join(' and ')}; grace doctor tells why`;
}
