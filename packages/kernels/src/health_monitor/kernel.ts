import { didYouMean, GraceError } from '@grace/contracts';
import { defineKernel, is, type KernelContext, readInput } from '@grace/kernel-sdk';
import type { Hosts } from './address.ts';
import { createAlertWatch } from './alerts.ts';
import { defaultDefinition, type ProbeDefinition, readDefinition, unknownProbe } from './definition.ts';
import { type SubjectHealth, systemHealth } from './health.ts';
import { budgetOf, type Objective } from './objective.ts';
import type { Reach } from './observer.ts';
import { probeMonitor } from './probe.ts';
import { createResults, type Results } from './results.ts';
import { createRounds } from './rounds.ts';
import { refuseUnknown } from './subject-kernel.ts';

const INTERVAL_MS = 5000;
const MAX_PROBES = 512;
const MAX_OBJECTIVES = 64;
const SYSTEM: Objective = { id: 'system', probes: ['kernel.*'], target: 0.99, windowMs: 86_400_000 };

export default defineKernel({
  id: 'health_monitor',
  start(ctx) {
    const kernels =
      is.optional(is.array(is.string(), { max: MAX_PROBES }))(ctx.config['kernels'], 'config.kernels') ?? [];
    const intervalMs =
      is.optional(is.number({ min: 100 }))(ctx.config['intervalMs'], 'config.intervalMs') ?? INTERVAL_MS;
    const results = createResults(ctx.store);
    const hosts =
      is.optional(is.array(is.string({ max: 253 }), { max: 100 }))(ctx.config['hosts'], 'config.hosts') ?? [];
    const reach = createReach(ctx, hosts, () => verbs.status({}));
    const alerts = createAlertWatch(results, ctx.clock);
    const onChange = (from: SubjectHealth, to: SubjectHealth): void => {
      ctx.log.info('health changed', { subject: to.subject, from: from.state, to: to.state, reason: to.reason });
      const payload = { ...to, from: from.state, to: to.state, atMono: ctx.clock.monoMs() };
      ctx.bus.publish(`system.health.${to.subject}`, payload).catch((error: Error) => {
        ctx.log.warn('a change of health could not be published', { subject: to.subject, error: error.message });
      });
    };
    const onWritten = (): void => {
      for (const change of alerts.look(objectivesIn(results))) {
        ctx.log.info(change.firing ? 'an error budget burns' : 'an error budget burns no more', { ...change });
        ctx.bus.publish(`kernel.${ctx.id}.event.slo`, change).catch((error: Error) => {
          ctx.log.warn('an alert could not be published', { objective: change.objective, error: error.message });
        });
      }
    };
    const rounds = createRounds(ctx, reach, results, { onChange, onWritten });
    const own = results.definitions();
    for (const definition of own) rounds.set(definition);
    for (const id of kernels) {
      if (!own.some((definition) => definition.id === `kernel.${id}`)) rounds.set(defaultDefinition(id, intervalMs));
    }
    rounds.setObjectives(objectivesIn(results));

    const known = (id: string): ProbeDefinition => {
      const ids = rounds.entries().map(({ definition }) => definition.id);
      const found = rounds.entries().find(({ definition }) => definition.id === id);
      if (!found) throw unknownProbe(id, ids);
      return found.definition;
    };

    const verbs = {
      async define(input: unknown) {
        const { probe } = readInput(input, { probe: is.record() });
        const definition = readDefinition(probe, hosts);
        await refuseUnknown(ctx, definition.check, kernels);
        const isNew = !rounds.entries().some((entry) => entry.definition.id === definition.id);
        if (isNew && rounds.entries().length >= MAX_PROBES) {
          throw new GraceError('TOO_LARGE', `there are ${MAX_PROBES} probes already; remove one first`);
        }
        results.define(definition);
        rounds.set(definition);
        return definition;
      },
      remove(input: unknown) {
        const { id } = readInput(input, { id: is.string({ max: 100 }) });
        known(id);
        results.remove(id);
        rounds.remove(id);
        return { removed: id };
      },
      run(input: unknown) {
        const { id } = readInput(input, { id: is.string({ max: 100 }) });
        known(id);
        return rounds.run(id);
      },
      health(input: unknown) {
        const { subject } = readInput(input, { subject: is.optional(is.string({ max: 100 })) });
        const health = systemHealth(rounds.entries());
        if (subject === undefined) return { ...health, objectives: budgets(ctx, results) };
        const found = health.subjects.find((one) => one.subject === subject);
        if (!found)
          throw unknownProbe(
            subject,
            health.subjects.map((one) => one.subject),
          );
        return found;
      },
      slo(input: unknown) {
        const { set, remove } = readInput(input, {
          set: is.optional(is.record()),
          remove: is.optional(is.string({ max: 100 })),
        });
        if (set) results.setObjective(readObjective(set, results.objectives()));
        if (remove !== undefined) {
          const ids = results.objectives().map(({ id }) => id);
          if (!ids.includes(remove)) throw unknownObjective(remove, ids);
          results.removeObjective(remove);
        }
        rounds.setObjectives(objectivesIn(results));
        return budgets(ctx, results);
      },
      history(input: unknown) {
        const { id, limit } = readInput(input, {
          id: is.optional(is.string({ max: 100 })),
          limit: is.optional(is.number({ min: 1, max: 5000, integer: true })),
        });
        rounds.flush();
        const found = results.history(id, limit ?? 100);
        // Results of a probe that was removed are still there.
        if (id !== undefined && found.length === 0) known(id);
        return found;
      },
      status(input: unknown) {
        readInput(input, {});
        const entries = rounds.entries();
        const count = (state: string): number => entries.filter(({ standing }) => standing.state === state).length;
        return {
          probes: entries.length,
          passing: count('passing'),
          failing: count('failing'),
          unknown: count('unknown'),
          health: systemHealth(entries).state,
          results: results.count(),
          dropped: rounds.dropped(),
        };
      },
    };
    return {
      verbs,
      probe: async () => ({ ...(await probeMonitor(ctx.id, reach)), probes: rounds.entries().length }),
      drain: () => rounds.flush(),
    };
  },
});

/** Verbs of others go over the bus. Its own are called directly: whether this kernel works must not hang on the broker. */
function createReach(ctx: KernelContext, hosts: Hosts, ownStatus: () => unknown): Reach {
  return {
    hosts,
    async call(kernel, verb, input, deadlineMs) {
      if (kernel === ctx.id && verb === 'status') return ownStatus();
      return ctx.call(kernel, verb, input, { deadlineMs });
    },
    cutOff: (kernel) => kernel !== ctx.id && !ctx.bus.connected,
    monoMs: () => ctx.clock.monoMs(),
  };
}

function objectivesIn(results: Results): Objective[] {
  const own = results.objectives();
  return own.some(({ id }) => id === SYSTEM.id) ? own : [SYSTEM, ...own];
}

function budgets(ctx: KernelContext, results: Results): Record<string, unknown>[] {
  return objectivesIn(results).map((objective) => ({
    ...objective,
    ...budgetOf(objective, results.within(objective, ctx.clock.wallMs())),
  }));
}

/** The built-in one stays; a own one of its id can be removed. */
function unknownObjective(id: string, ids: readonly string[]): GraceError {
  return new GraceError('NOT_FOUND', `no objective of yours is called ${JSON.stringify(id)}${didYouMean(id, ids)}`, {
    id,
  });
}

function readObjective(input: Record<string, unknown>, existing: readonly Objective[]): Objective {
  const objective = readInput(input, {
    id: is.string({ max: 100, pattern: /^[a-z0-9][a-z0-9_.-]*$/i }),
    probes: is.array(is.string({ max: 100 }), { max: 100 }),
    target: is.number({ min: 0.5, max: 0.999999 }),
    windowMs: is.number({ min: 60_000, max: 30 * 86_400_000 }),
  });
  if (existing.length >= MAX_OBJECTIVES && !existing.some(({ id }) => id === objective.id)) {
    throw new GraceError('TOO_LARGE', `there are ${MAX_OBJECTIVES} objectives already`);
  }
  return objective;
}
