import { GraceError, type Incident } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { FactOrigin, FactSource } from '../rules/rule.ts';
import { plain } from './plain.ts';

/** A fact as it was found, or why it is missing. */
export type Fact = { ok: true; value: unknown; ms: number } | { ok: false; error: string; ms: number };
export type Facts = Record<string, Fact>;

/** Gathers facts; what the same look asks twice is asked once. */
export interface Gatherer {
  /** Facts of one look share their answers. Never rejects. */
  look(): (sources: Readonly<Record<string, FactSource>>) => Promise<Facts>;
}

/** Asked at the same time; others wait their turn, and their deadline begins with it. */
const LANES = 8;

export function createGatherer(ctx: KernelContext): Gatherer {
  let busy = 0;
  const waiting: (() => void)[] = [];
  const inLane = async <T>(work: () => Promise<T>): Promise<T> => {
    if (busy >= LANES) await new Promise<void>((resolve) => waiting.push(resolve));
    busy++;
    try {
      return await work();
    } finally {
      busy--;
      waiting.shift()?.();
    }
  };

  const ask = async (origin: FactOrigin, withinMs: number): Promise<unknown> => {
    if ('given' in origin) return origin.given;
    if ('supervisor' in origin) {
      if (origin.supervisor === 'status') return await ctx.supervisor.command('status', {}, withinMs);
      return openIncidents(await ctx.supervisor.command('incident', {}, withinMs));
    }
    const { kernel, verb, input } = origin.call;
    return await ctx.call(kernel, verb, input, { deadlineMs: withinMs });
  };

  return {
    look() {
      const asked = new Map<string, Promise<Fact>>();
      const answerOf = ({ origin, withinMs }: FactSource): Promise<Fact> => {
        const key = JSON.stringify([origin, withinMs]);
        const found = asked.get(key);
        if (found) return found;
        const answer = inLane(async (): Promise<Fact> => {
          const startMono = ctx.clock.monoMs();
          const since = (): number => ctx.clock.monoMs() - startMono;
          try {
            return { ok: true, value: await within(ask(origin, withinMs), withinMs), ms: since() };
          } catch (error) {
            return { ok: false, error: wordsOf(error), ms: since() };
          }
        });
        asked.set(key, answer);
        return answer;
      };
      return async (sources) => {
        const entries = Object.entries(sources).map(async ([name, source]) => {
          return [name, part(await answerOf(source), source)] as const;
        });
        return Object.fromEntries(await Promise.all(entries));
      };
    },
  };
}

/** The part of an answer that the fact is about. */
function part(fact: Fact, { path, fields }: FactSource): Fact {
  if (!fact.ok) return fact;
  try {
    let { value } = fact;
    for (const name of path === null ? [] : path.split('.')) {
      if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name))
        throw new Error(`its answer has no ${path}`);
      value = (value as Record<string, unknown>)[name];
    }
    if (value === undefined) throw new Error('it answered nothing');
    return { ...fact, value: plain(fields === null ? value : reduced(value, fields)) };
  } catch (error) {
    return { ok: false, error: (error as Error).message, ms: fact.ms };
  }
}

function reduced(value: unknown, fields: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((entry) => reduced(entry, fields));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => fields.includes(name)));
}

/** The open incidents, shortened, and whom they are about: what rules ask for. */
function openIncidents(answer: unknown): unknown {
  if (!Array.isArray(answer)) throw new Error('the supervisor did not answer with a list of incidents');
  const open = (answer as Incident[]).filter(({ closedMono }) => closedMono === undefined);
  return {
    open: open.map(({ id, kind, subject, severity, openedWall, escalated }) => ({
      ...{ id, kind, subject, severity, openedMs: openedWall, escalated },
    })),
    subjects: [...new Set(open.map(({ subject }) => subject))],
  };
}

/** A second deadline beside that of the wire: a fact that never comes must not hold a look for ever. */
async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new GraceError('DEADLINE', `no answer within ${ms} ms`)), ms + 100);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

export function wordsOf(error: unknown): string {
  const code = error instanceof GraceError ? `${error.code}: ` : '';
  return `${code}${error instanceof Error ? error.message : String(error)}`.slice(0, 300);
}
