import { GraceError, toWireError } from '@grace/contracts';
import { is, type KernelContext, readInput, type Verb } from '@grace/kernel-sdk';
import { type Deed, fillActions } from './act/deed.ts';
import type { Queue } from './act/queue.ts';
import type { FiringJournal } from './fired/journal.ts';
import { judge } from './gates/gate.ts';
import { copyState } from './gates/state.ts';
import { isSubject, matches } from './match/pattern.ts';
import type { Subscriber } from './match/subscriber.ts';
import type { Mesh } from './mesh.ts';
import { compile, type Entry, type LiveRule } from './rules/live.ts';
import { readDefinition } from './rules/read.ts';
import type { Rule, RuleEvent } from './rules/rule.ts';
import type { Shelf } from './rules/shelf.ts';

export interface VerbParts {
  ctx: KernelContext;
  mesh: Mesh;
  shelf: Shelf;
  journal: FiringJournal;
  queue: Queue;
  subscriber: Subscriber;
}

export function createVerbs(parts: VerbParts): Record<string, Verb> {
  const { ctx, mesh, shelf, journal, queue, subscriber } = parts;
  const id = is.string({ max: 64 });

  return {
    rules(input) {
      const { id: one } = readInput(input, { id: is.optional(id) });
      return (one === undefined ? mesh.rules() : [mesh.get(one)]).map((live) => describe(live, ctx.clock.monoMs()));
    },
    async define(input) {
      const rule = await readDefinition(input);
      const before = mesh.has(rule.id) ? mesh.get(rule.id).rule : undefined;
      if (before && before.source !== 'verb') {
        throw new GraceError(
          'CONFLICT',
          `rule "${rule.id}" stands in the rule file; change it there or give this one another id`,
          {
            rule: rule.id,
          },
        );
      }
      mesh.put(rule);
      try {
        shelf.keep(rule);
      } catch (error) {
        if (before) mesh.put(before);
        else mesh.remove(rule.id);
        throw error;
      }
      await subscriber.settled();
      const patterns = rule.and ? [rule.on, rule.and.on] : [rule.on];
      const refused = Object.entries(subscriber.refused()).filter(([wide]) =>
        patterns.some((one) => matches(wide, one)),
      );
      return { id: rule.id, replaced: before !== undefined, refused: Object.fromEntries(refused) };
    },
    remove(input) {
      const { id: one } = readInput(input, { id });
      if (mesh.get(one).rule.source !== 'verb') {
        throw new GraceError(
          'CONFLICT',
          `rule "${one}" stands in the rule file; remove it there, or disable it with enable`,
          { rule: one },
        );
      }
      mesh.remove(one);
      shelf.remove(one);
      return { id: one, removed: true };
    },
    enable(input) {
      const { id: one, enabled } = readInput(input, { id, enabled: is.boolean() });
      const was = mesh.get(one).rule.enabled;
      mesh.setEnabled(one, enabled);
      shelf.switch(one, enabled);
      return { id: one, enabled, was };
    },
    async test(input) {
      const given = readInput(input, {
        rule: is.optional(id),
        definition: is.optional(is.record()),
        event: is.record(),
      });
      const event = readEvent(given.event, ctx);
      if (given.definition) return [dryRun(compile(await readDefinition(given.definition)), event, ctx)];
      if (given.rule !== undefined) return [dryRun(mesh.get(given.rule), event, ctx)];
      const looking = mesh.lookingAt(event.subject).filter((entry) => entry.live().rule.source !== 'probe');
      return looking.map((entry) => dryRun(entry.live(), event, ctx, entry));
    },
    fired(input) {
      const { limit } = readInput(input, { limit: is.optional(is.number({ min: 1, max: 10_000, integer: true })) });
      return journal.last(limit ?? 50);
    },
    status(input) {
      readInput(input, {});
      const rules = mesh.rules();
      return {
        ...mesh.counters(),
        rules: rules.length,
        enabled: rules.filter(({ rule }) => rule.enabled).length,
        open: rules.filter(({ state }) => state.breaker.state !== 'closed').map(({ rule }) => rule.id),
        subscriptions: subscriber.live(),
        refused: subscriber.refused(),
        actions: { waiting: queue.waiting, running: queue.running },
        omitted: journal.omitted,
        keys: {
          held: rules.reduce((sum, { state }) => sum + state.keys.size, 0),
          forgotten: rules.reduce((sum, { state }) => sum + state.forgotten, 0),
        },
      };
    },
  };
}

function describe({ rule, state, counts, lastError }: LiveRule, nowMs: number): Record<string, unknown> {
  const { state: breaker, failures, untilMs } = state.breaker;
  const opensAgainInMs = breaker === 'open' ? Math.max(0, Math.round(untilMs - nowMs)) : 0;
  return {
    ...rule,
    counts,
    lastError,
    circuit: { state: breaker, failures, opensAgainInMs },
    keys: state.keys.size,
    forgotten: state.forgotten,
  };
}

function readEvent(raw: Record<string, unknown>, ctx: KernelContext): RuleEvent {
  const given = readInput(raw, {
    subject: is.string({ max: 256 }),
    payload: is.unknown(),
    from: is.optional(is.string({ max: 64 })),
    id: is.optional(is.string({ max: 128 })),
    correlation: is.optional(is.string({ max: 128 })),
    depth: is.optional(is.number({ min: 0, max: 1000, integer: true })),
  });
  if (!isSubject(given.subject)) {
    throw new GraceError(
      'BAD_INPUT',
      `input.event.subject: expected a subject like kernel.librarian.note, got "${given.subject}"`,
    );
  }
  return {
    id: given.id ?? 'dry',
    subject: given.subject,
    from: given.from ?? 'test',
    at: ctx.clock.wallMs(),
    correlation: given.correlation ?? null,
    causation: null,
    depth: given.depth ?? 0,
    payload: given.payload ?? {},
  };
}

/** What the rule would do with the event now, without doing it or remembering it. */
function dryRun(live: LiveRule, event: RuleEvent, ctx: KernelContext, entry?: Entry): Record<string, unknown> {
  const { rule } = live;
  const side = entry?.side ?? sideOf(rule, event.subject);
  if (!side) {
    return {
      rule: rule.id,
      fires: false,
      why: 'subject',
      detail: `"${event.subject}" is not matched by ${rule.on}`,
      actions: [],
    };
  }
  const verdict = judge(live.compiled, copyState(live.state), side, event, ctx.clock.monoMs());
  if (!verdict.fires)
    return { rule: rule.id, side, fires: false, why: verdict.why, detail: verdict.detail, actions: [] };
  let actions: Deed[];
  try {
    actions = fillActions(rule, verdict.firing, 'dry');
  } catch (error) {
    return { rule: rule.id, side, fires: true, why: 'fails', detail: toWireError(error).message, actions: [] };
  }
  return { rule: rule.id, side, fires: true, why: 'fires', detail: '', actions };
}

function sideOf(rule: Rule, subject: string): 'on' | 'and' | undefined {
  if (matches(rule.on, subject)) return 'on';
  return rule.and && matches(rule.and.on, subject) ? 'and' : undefined;
}
