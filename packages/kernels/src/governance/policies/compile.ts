import type { Cedar } from '../engine/cedar.ts';
import { tooDeep } from './nesting.ts';
import {
  type ActionShape,
  type PolicyFile,
  type PolicyNote,
  type PolicySet,
  type Sources,
  versionOf,
} from './policy-set.ts';
import { type PolicyProblem, placeOf, problemIn, refuseProblems } from './problems.ts';

/** A longer one overflows the stack of the evaluator long before anybody can read it. */
const POLICY_CHARACTERS_MAX = 16_000;
const ID = /^[a-z][a-z0-9_]{0,99}$/;
/** The only type that asks. */
const ASKS = 'Principal';
/** Governance asks these itself, so every schema has them. */
const OWN_ACTIONS = { decide_request: 'Request', change_policies: 'System', inject_faults: 'System', probe: 'Probe' };

/**
 * Checks policies against their schema and puts them together.
 * @throws GraceError `POLICY_INVALID` naming each file, line and what was expected
 */
export function compilePolicies(cedar: typeof Cedar, sources: Sources): PolicySet {
  const { files } = sources;
  const ended = (ending: RegExp): PolicyFile[] => files.filter(({ name }) => ending.test(name));
  const schemas = ended(/\.cedarschema$/);
  const texts = ended(/\.cedar$/);
  refuseProblems([...schemas, ...texts].flatMap(tooDeep));

  const schema = schemas.map(({ text }) => text).join('\n');
  const { actions, schemaJson } = readActions(cedar, schemas, schema);
  const { policies, notes, policiesJson } = readPolicies(cedar, texts);
  refuseProblems(validate(cedar, schema, policies, notes, files));
  const set = { ...sources, version: versionOf(files), schema, policies, notes, actions };
  // Cedar's whole numbers have 64 bits, those of JSON here 53: what does not fit would be another policy.
  return isExact(policiesJson) ? { ...set, parsed: { schema: schemaJson, policies: policiesJson } } : set;
}

function isExact(value: unknown): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  return typeof value !== 'object' || value === null || Object.values(value).every(isExact);
}

function readActions(cedar: typeof Cedar, files: readonly PolicyFile[], schema: string) {
  if (files.length === 0) {
    refuseProblems([{ file: 'schema.cedarschema', line: 1, column: 1, message: 'expected a schema, got none' }]);
  }
  const read = cedar.schemaToJson(schema);
  if (read.type === 'failure') {
    refuseProblems(read.errors.map((error) => inSchema(files, error)));
    throw new Error('unreachable');
  }
  const actions: Record<string, ActionShape> = {};
  const problems: PolicyProblem[] = [];
  for (const [name, { appliesTo }] of Object.entries(read.json['']?.actions ?? {})) {
    if (!appliesTo || appliesTo.resourceTypes.length === 0) continue;
    const refuse = (message: string): void => {
      const place = files.find(({ text }) => text.includes(name));
      problems.push({
        file: place?.name ?? files[0]!.name,
        ...placeOf(place?.text ?? '', Buffer.byteLength(place?.text.split(name)[0] ?? '')),
        message: `action ${name}: ${message}`,
      });
    };
    const [resource, ...more] = appliesTo.resourceTypes;
    if (more.length > 0) refuse(`expected one type of resource, got ${appliesTo.resourceTypes.join(', ')}`);
    if (appliesTo.principalTypes.join() !== ASKS) {
      refuse(`expected the principal type ${ASKS}, got ${appliesTo.principalTypes.join(', ') || 'none'}`);
    }
    const context = appliesTo.context as { attributes?: Record<string, { required?: boolean }> } | undefined;
    const attributes = context?.attributes ?? {};
    if (!Object.hasOwn(attributes, 'approved')) refuse('expected `approved: Bool` in its context');
    actions[name] = {
      resource: resource!,
      fields: Object.fromEntries(
        Object.entries(attributes)
          .filter(([field]) => field !== 'approved')
          .map(([field, { required = true }]) => [field, { required }]),
      ),
    };
  }
  for (const [name, type] of Object.entries(OWN_ACTIONS)) {
    if (actions[name]?.resource === type) continue;
    problems.push({
      file: files[0]!.name,
      line: 1,
      column: 1,
      message: `expected the action ${name} on ${type}, which governance asks itself`,
    });
  }
  refuseProblems(problems);
  return { actions, schemaJson: read.json };
}

/** The schema is one text made of several files. */
function inSchema(files: readonly PolicyFile[], error: Cedar.DetailedError): PolicyProblem {
  let startByte = error.sourceLocations?.[0]?.start ?? 0;
  for (const file of files) {
    const bytes = Buffer.byteLength(file.text) + 1;
    if (startByte < bytes || file === files.at(-1)) {
      const source = {
        ...error.sourceLocations?.[0],
        start: startByte,
        end: startByte,
        label: error.sourceLocations?.[0]?.label ?? null,
      };
      return problemIn(file.name, file.text, { ...error, sourceLocations: [source] });
    }
    startByte -= bytes;
  }
  return problemIn(files[0]!.name, '', error);
}

function readPolicies(cedar: typeof Cedar, files: readonly PolicyFile[]) {
  const policies: Record<string, string> = {};
  const notes: Record<string, PolicyNote> = {};
  const policiesJson: Record<string, Cedar.PolicyJson> = {};
  const problems: PolicyProblem[] = [];
  for (const { name: file, text } of files) {
    const parts = cedar.policySetTextToParts(text);
    if (parts.type === 'failure') {
      problems.push(...parts.errors.map((error) => problemIn(file, text, error)));
      continue;
    }
    for (const template of parts.policy_templates) {
      problems.push({
        file,
        ...placeIn(text, template),
        message: 'expected a policy, got a template: write ?principal and ?resource out',
      });
    }
    for (const policy of parts.policies) {
      const place = placeIn(text, policy);
      const read = cedar.policyToJson(policy);
      if (read.type === 'failure') {
        problems.push(...read.errors.map((error) => problemIn(file, text, error, text.indexOf(policy))));
        continue;
      }
      const id = read.json.annotations?.['id'];
      if (id === undefined || !ID.test(id)) {
        problems.push({
          file,
          ...place,
          message: `expected an annotation like @id("what_it_says"), a-z, 0-9, _, got ${JSON.stringify(id ?? 'none')}`,
        });
      } else if (Object.hasOwn(policies, id)) {
        const { file: other, line } = notes[id]!;
        problems.push({ file, ...place, message: `expected ids that differ, "${id}" stands at ${other}:${line} too` });
      } else if (policy.length > POLICY_CHARACTERS_MAX) {
        problems.push({
          file,
          ...place,
          message: `expected at most ${POLICY_CHARACTERS_MAX} characters, got ${policy.length}`,
        });
      } else {
        policies[id] = policy;
        policiesJson[id] = read.json;
        const approvable = JSON.stringify(read.json.conditions).includes('"approved"');
        notes[id] = { effect: read.json.effect, file, line: place.line, approvable };
      }
    }
  }
  refuseProblems(problems);
  return { policies, notes, policiesJson };
}

function validate(
  cedar: typeof Cedar,
  schema: string,
  policies: Record<string, string>,
  notes: Record<string, PolicyNote>,
  files: readonly PolicyFile[],
): PolicyProblem[] {
  const answer = cedar.validate({ schema, policies: { staticPolicies: policies } });
  const file = files[0]?.name ?? 'policies';
  if (answer.type === 'failure') return answer.errors.map((error) => problemIn(file, '', error));
  // A warning says that a policy can never apply: whoever wrote it believes in a protection that is not there.
  return [...answer.validationErrors, ...answer.validationWarnings.filter(({ error }) => error.severity === 'warning')]
    .filter(({ policyId }, i, all) => all.findIndex((other) => other.policyId === policyId) === i)
    .map(({ policyId, error }) => {
      const note = notes[policyId]!;
      const text = files.find(({ name }) => name === note.file)!.text;
      return problemIn(note.file, text, error, text.indexOf(policies[policyId]!));
    });
}

function placeIn(text: string, part: string): { line: number; column: number } {
  return placeOf(text, 0, Math.max(0, text.indexOf(part)));
}
