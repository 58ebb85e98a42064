import { GraceError } from '@grace/contracts';
import { type PolicySet, standingOf } from '../policies/policy-set.ts';
import type { Cedar, CedarHost } from './cedar.ts';
import type { Question } from './question.ts';
import { type Evaluation, type Verdict, weigh } from './weigh.ts';

/** Attributes of a resource that Cedar cannot read out of its id. */
export type ResourceAttributes = Record<string, Cedar.CedarValueJson>;

/** The policies in force, parsed once. */
export interface Engine {
  readonly set: PolicySet;
  /**
   * @param attributes of the resource, where its type has any beside those that follow from its id
   * @throws GraceError `BAD_INPUT` when the context does not fit the schema, `INTERNAL` when Cedar broke
   */
  decide(question: Question, attributes?: ResourceAttributes): Verdict;
  /** Prepares other policies beside these; what it returns puts them in their place, whole. @throws GraceError `POLICY_INVALID` */
  prepare(set: PolicySet): () => void;
}

/** @param name of what it prepares in Cedar; no other engine on the same host may have it */
export function createEngine(host: CedarHost, first: PolicySet, name: string): Engine {
  let set = first;
  let prepared = { generation: -1, name: '' };
  let count = 0;

  /** Never under the name that decides now; two names, so that nothing piles up. */
  const prepare = (wanted: PolicySet): (() => void) => {
    const next = `${name}-${++count % 2}`;
    host.use((cedar) => {
      const { schema, policies } = wanted.parsed ?? wanted;
      expect(cedar.preparseSchema(next, schema));
      expect(cedar.preparsePolicySet(next, { staticPolicies: { ...policies } }));
    });
    const { generation } = host;
    return () => {
      prepared = { generation, name: next };
      set = wanted;
    };
  };
  prepare(first)();

  return {
    get set() {
      return set;
    },
    prepare,
    decide(question, attributes) {
      // An instance that broke took its policies with it; the next use of the host opens another.
      host.use(() => {});
      if (host.generation !== prepared.generation) prepare(set)();
      const ask = (approved: boolean): Evaluation =>
        host.use((cedar) =>
          evaluation(
            cedar.statefulIsAuthorized({
              ...callOf(set, question, attributes, approved),
              preparsedSchemaName: prepared.name,
              preparsedPolicySetId: prepared.name,
            }),
          ),
        );
      return weigh(ask(false), () => ask(true));
    },
  };
}

/**
 * The same answer by another way: nothing prepared, all of it parsed for this one question. For policies that are not in force, and to check
 * the engine against.
 * @param checked against the schema, which costs more than the decision
 */
export function decideOnce(host: CedarHost, set: PolicySet, question: Question, checked = true): Verdict {
  const ask = (approved: boolean): Evaluation =>
    host.use((cedar) =>
      evaluation(
        cedar.isAuthorized({
          ...callOf(set, question, undefined, approved),
          ...(checked ? { schema: set.schema } : { validateRequest: false }),
          policies: { staticPolicies: { ...set.policies } },
        }),
      ),
    );
  return weigh(ask(false), () => ask(true));
}

function callOf(
  set: PolicySet,
  { principal, action, resource, context }: Question,
  attributes: ResourceAttributes | undefined,
  approved: boolean,
) {
  const standing = standingOf(set.settings, principal);
  const type = set.actions[action]!.resource;
  const attrs = { ...ofId(type, resource), ...attributes };
  const entities: Cedar.EntityJson[] = [
    {
      uid: { type: 'Principal', id: principal },
      attrs: { tier: standing.tier, kind: standing.kind },
      parents: standing.roles.map((id) => ({ type: 'Role', id })),
    },
  ];
  if (Object.keys(attrs).length > 0) entities.push({ uid: { type, id: resource }, attrs, parents: [] });
  return {
    principal: { type: 'Principal', id: principal },
    action: { type: 'Action', id: action },
    resource: { type, id: resource },
    context: { ...context, approved },
    validateRequest: true,
    entities,
  };
}

/** Policies cannot take an id apart. */
function ofId(type: string, id: string): ResourceAttributes {
  if (type !== 'Verb') return {};
  const [kernel = '', ...verb] = id.split('.');
  return { kernel, verb: verb.join('.') };
}

function evaluation(answer: Cedar.AuthorizationAnswer): Evaluation {
  if (answer.type === 'failure') {
    const said = answer.errors.map(({ message }) => message).join('; ');
    throw new GraceError('BAD_INPUT', `input: does not fit the schema: ${said.slice(0, 1000)}`);
  }
  const { decision, diagnostics } = answer.response;
  return {
    allows: decision === 'allow',
    reasons: diagnostics.reason,
    errors: diagnostics.errors.map(({ policyId, error }) => ({ policy: policyId, message: error.message })),
  };
}

function expect(answer: Cedar.CheckParseAnswer): void {
  if (answer.type === 'success') return;
  const said = answer.errors.map(({ message }) => message).join('; ');
  throw new GraceError('POLICY_INVALID', `the policies cannot be prepared: ${said.slice(0, 1000)}`);
}
