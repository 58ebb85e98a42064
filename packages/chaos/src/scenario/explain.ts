import { CHECK_NAMES, type CheckName } from '../check/names.ts';
import type { Scenario, TargetSource, Variant } from './scenario.ts';

/** A scenario in words: what it does, and what held means for it. */
export function explainScenario(scenario: Scenario): string {
  return [
    `${scenario.id}: ${scenario.title}`,
    `Severity ${scenario.severity}, wave ${scenario.wave}. It proves: ${scenario.proves}`,
    `Objective: ${scenario.objective}`,
    ...(scenario.needs.length > 0 ? [`Needs: ${scenario.needs.join(', ')}`] : []),
    ...scenario.variants.flatMap((variant) => ['', ...explainVariant(variant)]),
    '',
  ].join('\n');
}

function explainVariant(variant: Variant): string[] {
  const { expect } = variant;
  const detected =
    expect.detectedBy.length === 0
      ? 'nothing has to notice it'
      : `noticed by ${expect.detectedBy.join(' or ')} within ${expect.detectWithinMs} ms`;
  return [
    `  ${variant.id}: ${variant.does}`,
    `    fault      ${variant.fault}${params(variant)} on ${describeTarget(variant.target)}, at most ${variant.durationMs} ms`,
    `    held when  ${detected};`,
    `               ${expect.recoveredBy.join(' and ')} agree within ${expect.recoverWithinMs} ms that it is over, for 1 s;`,
    `               ${mayRestart(variant)} may restart${restarts(expect.targetRestarts)};`,
    `               p99 of verbs at most ${expect.latencyFactor} times the quiet one plus ${expect.latencySlackMs} ms;`,
    ...(expect.playbook === null ? [] : [`               the playbook ${expect.playbook} runs;`]),
    ...variant.checks.map(
      ({ name, value }) =>
        `    check      ${name}${value === null ? '' : ` ${value}`}: ${CHECK_NAMES[name as CheckName].proves}`,
    ),
    ...(variant.conflicts.length > 0 ? [`    not beside ${variant.conflicts.join(', ')}`] : []),
  ];
}

function mayRestart({ expect, wholeCell, target }: Variant): string {
  const named = [
    ...expect.mayRestart,
    ...(wholeCell
      ? [`whoever shares ${target.kind === 'kernel' ? `the cell of ${target.kernel}` : describeTarget(target)}`]
      : []),
  ];
  return named.length === 0 ? 'nobody' : `only ${named.join(', ')}`;
}

function params({ params: given }: Variant): string {
  const told = Object.entries(given).map(([name, value]) => `${name} ${value}`);
  return told.length === 0 ? '' : ` (${told.join(', ')})`;
}

function restarts(exact: number | null): string {
  return exact === null ? '' : `, the target exactly ${exact} times`;
}

export function describeTarget(target: TargetSource): string {
  switch (target.kind) {
    case 'kernel':
      return target.kernel;
    case 'cellOf':
      return `the cell of ${target.kernel}`;
    case 'principal':
      return `the bus, as ${target.principal}`;
    case 'machine':
      return 'the machine';
  }
}
