import { CELL_FAULTS, didYouMean, type FaultKind, GraceError } from '@grace/contracts';
import { type ReadDocument, readDocument } from '@grace/contracts/config';
import { CHECK_NAMES } from '../check/names.ts';
import type { CheckOrder, Scenario, TargetSource, Variant } from './scenario.ts';
import { type ScenarioSource, scenarioSchema, type VariantSource } from './schema.ts';

/**
 * Reads a scenario file.
 * @param file its name, for messages and for the rule that a scenario is named as its file
 * @throws GraceError `SCENARIO_INVALID` with file, line, what was expected and the nearest valid name
 */
export function parseScenario(text: string, file: string): Scenario {
  const document = readDocument(text, file, scenarioSchema, 'SCENARIO_INVALID');
  const source = document.value;
  const named = file
    .split('/')
    .at(-1)!
    .replace(/\.ya?ml$/, '');
  if (source.id !== named) refuse(document, ['id'], `expected the name of the file, ${named}, got ${source.id}`);
  const seen = new Set<string>();
  for (const [index, variant] of source.variants.entries()) {
    if (seen.has(variant.id))
      refuse(document, ['variants', index, 'id'], `expected each id once, got ${variant.id} again`);
    seen.add(variant.id);
    checkVariant(document, index, variant);
  }
  const { conflicts, variants, ...rest } = source;
  return { ...rest, file, variants: variants.map((variant) => complete(variant, conflicts)) };
}

/** What faults may be told beside how long they act. */
const PARAMS: Partial<Record<FaultKind, readonly string[]>> = {
  acl_spam: ['subject', 'messages'],
  cpu_hog: ['cores'],
  topic_flood: ['subject', 'consumer', 'messages', 'floodMs', 'perSecond', 'consumePerSecond', 'catchUpPerSecond'],
  log_damage: ['damage'],
  heap_leak: ['bytesPerSecond', 'maxBytes'],
  external_leak: ['bytesPerSecond', 'maxBytes'],
};

function checkVariant(document: ReadDocument<ScenarioSource>, index: number, variant: VariantSource): void {
  const target = targetOf(variant);
  const wanted = targetKindsOf(variant.fault);
  if (!wanted.includes(target.kind)) {
    refuse(
      document,
      ['variants', index, 'target'],
      `expected ${wanted.map((kind) => (kind === 'cellOf' ? 'cell_of' : kind)).join(' or ')} as the target of ${variant.fault}`,
    );
  }
  if (variant.observe.length === 0 && target.kind !== 'kernel' && target.kind !== 'cellOf') {
    refuse(
      document,
      ['variants', index, 'observe'],
      `expected at least one kernel to observe when the target is no kernel`,
    );
  }
  if (variant.whole_cell !== undefined && target.kind !== 'kernel' && target.kind !== 'cellOf') {
    refuse(document, ['variants', index, 'whole_cell'], 'expected a kernel or cell_of as the target of a whole cell');
  }
  const known = PARAMS[variant.fault] ?? [];
  for (const name of Object.keys(variant.params)) {
    if (known.includes(name)) continue;
    const expected = known.length === 0 ? 'no parameters' : known.join(', ');
    refuse(
      document,
      ['variants', index, 'params', name],
      `${variant.fault} takes ${expected}, not ${name}${didYouMean(name, known)}`,
    );
  }
  for (const [at, check] of variant.checks.entries()) {
    const { name, value } = orderOf(check);
    const path = ['variants', index, 'checks', at];
    if (!Object.hasOwn(CHECK_NAMES, name)) {
      const names = Object.keys(CHECK_NAMES);
      refuse(document, path, `expected one of ${names.join(', ')}, got ${name}${didYouMean(name, names)}`);
    }
    const { takes } = CHECK_NAMES[name as keyof typeof CHECK_NAMES];
    if (takes === null && value !== null) refuse(document, path, `${name} takes no value`);
    if (takes !== null && value === null) refuse(document, path, `expected ${name}: ${takes}`);
    if (name === 'state_intact' && variant.marker === null) refuse(document, path, 'state_intact needs a marker');
    if (name === 'playbook_ran' && variant.expect.playbook === null) {
      refuse(document, path, 'playbook_ran needs expect.playbook');
    }
  }
}

function complete(variant: VariantSource, conflicts: string[]): Variant {
  const { duration, expect, checks, marker, whole_cell, ...rest } = variant;
  const target = targetOf(variant);
  const own = target.kind === 'kernel' || target.kind === 'cellOf' ? [target.kernel] : [];
  return {
    ...rest,
    target,
    durationMs: duration,
    wholeCell: whole_cell ?? target.kind === 'cellOf',
    observe: variant.observe.length > 0 ? variant.observe : own,
    conflicts: [...new Set([...conflicts, ...variant.conflicts])],
    checks: checks.map(orderOf),
    marker: marker && {
      kernel: marker.kernel,
      write: { verb: marker.write.verb, input: marker.write.input },
      read: { verb: marker.read.verb, input: marker.read.input },
      remove: marker.remove && { verb: marker.remove.verb, input: marker.remove.input },
    },
    expect: {
      detectedBy: expect.detected_by,
      detectWithinMs: expect.detect_within,
      recoverWithinMs: expect.recover_within,
      mayRestart: expect.may_restart,
      targetRestarts: expect.target_restarts,
      latencyFactor: expect.latency_factor,
      latencySlackMs: expect.latency_slack,
      recoveredBy: [...new Set(expect.recovered_by)],
      playbook: expect.playbook,
    },
  };
}

function targetKindsOf(fault: FaultKind): TargetSource['kind'][] {
  if ((CELL_FAULTS as readonly string[]).includes(fault)) return ['cellOf'];
  if (fault === 'acl_spam' || fault === 'topic_flood') return ['principal'];
  return fault === 'cpu_hog' ? ['machine'] : ['kernel'];
}

function targetOf({ target }: VariantSource): TargetSource {
  if ('kernel' in target) return { kind: 'kernel', kernel: target.kernel };
  if ('cell_of' in target) return { kind: 'cellOf', kernel: target.cell_of };
  if ('principal' in target) return { kind: 'principal', principal: target.principal };
  return { kind: 'machine' };
}

function orderOf(check: VariantSource['checks'][number]): CheckOrder {
  if (typeof check === 'string') return { name: check, value: null };
  const [name, value] = Object.entries(check)[0]!;
  return { name, value };
}

function refuse(document: ReadDocument<ScenarioSource>, path: PropertyKey[], message: string): never {
  throw new GraceError('SCENARIO_INVALID', `${document.at(path)}: ${message}`, { path });
}
