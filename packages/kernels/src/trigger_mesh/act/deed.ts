import { GraceError } from '@grace/contracts';
import type { Firing } from '../gates/gate.ts';
import type { Action, Rule } from '../rules/rule.ts';
import { asText, type Budget, fill, type TemplateScope } from '../rules/template.ts';

/** An action with the event filled in. */
export type Deed =
  | { kind: 'publish'; subject: string; payload: unknown }
  | { kind: 'call'; kernel: string; verb: string; input: unknown }
  | { kind: 'log'; text: string };

/** All actions of a firing together, in characters: a template that says `{{payload}}` a thousand times makes no message of a gigabyte. */
const FILLED_MAX = 1_000_000;

/**
 * The actions of a rule for one firing. `key` names the firing; a rule hands it on as `{{firing}}`.
 * @throws GraceError `TOO_LARGE`
 */
export function fillActions(rule: Rule, firing: Firing, key: string): Deed[] {
  const { event, other, key: group, count } = firing;
  const scope = { ...event, rule: rule.id, firing: key, key: group, count, other: other?.payload ?? null };
  const budget: Budget = {
    left: FILLED_MAX,
    exceeded: () =>
      new GraceError('TOO_LARGE', `the filled actions may have ${FILLED_MAX} characters, these have more`, {
        limit: FILLED_MAX,
      }),
  };
  return rule.do.map((action) => fillAction(action, scope, budget));
}

function fillAction(action: Action, scope: TemplateScope, budget: Budget): Deed {
  if ('publish' in action) {
    const { subject, payload } = action.publish;
    return { kind: 'publish', subject: asText(fill(subject, scope, budget)), payload: fill(payload, scope, budget) };
  }
  if ('call' in action) {
    const { kernel, verb, input } = action.call;
    return { kind: 'call', kernel, verb, input: fill(input, scope, budget) };
  }
  return { kind: 'log', text: asText(fill(action.log, scope, budget)) };
}

export function nameDeed(deed: Deed): string {
  if (deed.kind === 'publish') return `publish ${deed.subject.slice(0, 100)}`;
  return deed.kind === 'call' ? `call ${deed.kernel} ${deed.verb}` : 'log';
}
