import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Firing } from '../gates/gate.ts';
import type { Lineage } from '../gates/lineage.ts';
import { isSubject } from '../match/pattern.ts';
import type { Action, Rule } from '../rules/rule.ts';
import { asText, fill, type TemplateScope } from '../rules/template.ts';

/** An action with the event filled in. */
export type Deed =
  | { kind: 'publish'; subject: string; payload: unknown }
  | { kind: 'call'; kernel: string; verb: string; input: unknown }
  | { kind: 'log'; text: string };

export interface DeedResult {
  deed: string;
  ok: boolean;
  ms: number;
  error?: string;
}

export function scopeOf(rule: Rule, firing: Firing): TemplateScope {
  const { event, other, key, count } = firing;
  return { ...event, rule: rule.id, key, count, other: other?.payload ?? null };
}

export function fillAction(action: Action, scope: TemplateScope): Deed {
  if ('publish' in action) {
    const { subject, payload } = action.publish;
    return { kind: 'publish', subject: asText(fill(subject, scope)), payload: fill(payload, scope) };
  }
  if ('call' in action) {
    const { kernel, verb, input } = action.call;
    return { kind: 'call', kernel, verb, input: fill(input, scope) };
  }
  return { kind: 'log', text: asText(fill(action.log, scope)) };
}

export function nameDeed(deed: Deed): string {
  if (deed.kind === 'publish') return `publish ${deed.subject}`;
  return deed.kind === 'call' ? `call ${deed.kernel} ${deed.verb}` : 'log';
}

export interface Performer {
  /** The actions of a firing one after the other; the first that fails ends it. Never throws. */
  perform(rule: Rule, firing: Firing): Promise<DeedResult[]>;
}

export function createPerformer(ctx: KernelContext, lineage: Lineage): Performer {
  let made = 0;
  const freshId = (): string => `${ctx.id}-${ctx.incarnation}-${ctx.clock.wallMs().toString(36)}-${++made}`;

  /**
   * What came with a correlation from outside keeps it. Else the firing begins one, and each further firing makes a branch of it, so that
   * also a message that carries on nothing but its correlation tells how deep it stands; all branches begin with the same id.
   */
  const correlate = (given: string | null, id: string): string => {
    if (given === null) return id;
    return lineage.knows(given) ? `${given.split('+')[0]}+${made}` : given;
  };

  const act = async (rule: Rule, firing: Firing, deed: Deed): Promise<void> => {
    const id = freshId();
    const depth = firing.event.depth + 1;
    lineage.remember(id, depth);
    const correlation = correlate(firing.event.correlation, id);
    if (correlation !== firing.event.correlation) lineage.remember(correlation, depth);
    if (deed.kind === 'log') {
      ctx.log.info(deed.text, { rule: rule.id, event: firing.event.id });
      return;
    }
    if (deed.kind === 'publish') {
      if (!isSubject(deed.subject)) {
        throw new GraceError('BUS_BAD_SUBJECT', `"${deed.subject.slice(0, 80)}" is no subject; the template gave it`);
      }
      await ctx.bus.publish(deed.subject, deed.payload, {
        id,
        correlation,
        causation: firing.event.id,
        deadlineMs: rule.deadlineMs,
      });
      return;
    }
    await ctx.bus.request(`kernel.${deed.kernel}.call.${deed.verb}`, deed.input ?? {}, {
      id,
      correlation,
      causation: firing.event.id,
      deadlineMs: rule.deadlineMs,
    });
  };

  return {
    async perform(rule, firing) {
      const scope = scopeOf(rule, firing);
      const results: DeedResult[] = [];
      for (const action of rule.do) {
        const deed = fillAction(action, scope);
        const startMono = ctx.clock.monoMs();
        const done = (): number => Math.round(ctx.clock.monoMs() - startMono);
        try {
          await act(rule, firing, deed);
          results.push({ deed: nameDeed(deed), ok: true, ms: done() });
        } catch (error) {
          const code = error instanceof GraceError ? `${error.code}: ` : '';
          results.push({
            deed: nameDeed(deed),
            ok: false,
            ms: done(),
            error: `${code}${(error as Error).message}`.slice(0, 300),
          });
          break;
        }
      }
      return results;
    },
  };
}
