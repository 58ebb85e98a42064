import { randomUUID } from 'node:crypto';
import { GraceError, toWireError, type VerbMeta } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Facts, Gatherer } from '../facts/gather.ts';
import { wordsOf } from '../facts/gather.ts';
import { brief, plain } from '../facts/plain.ts';
import type { Checker } from '../verdict/checker.ts';
import type { Result } from '../verdict/judge.ts';
import { allOf, type Verdict } from '../verdict/verdict.ts';
import type { Clause, Contract, Deed } from './contract.ts';
import type { Outcome, RunJournal } from './journal.ts';
import { askPermission } from './permission.ts';

export interface Checked {
  verdict: Verdict;
  results: ({ name: string } & Result)[];
}

export interface DeedDone {
  kernel: string;
  verb: string;
  ok: boolean;
  ms: number;
  answer?: unknown;
  error?: string;
  /** False: the verb was certainly not done. Null: it did not say. */
  happened: boolean | null;
}

export interface ContractResult {
  id: string;
  outcome: Outcome;
  reason: string;
  pre: Checked;
  action: DeedDone | null;
  post: Checked | null;
  compensation: DeedDone | null;
  /** Decisions of governance that permitted it. */
  decisions: string[];
}

/** Runs contracts: what must be so before, the verb, what must be so after, and the compensation where that is not so. */
export interface Contractor {
  /** @throws GraceError `CONFLICT` when too many run; `FORBIDDEN`, `APPROVAL_NEEDED`, `GOVERNANCE_UNREACHABLE`: nothing was done */
  run(contract: Contract, meta: VerbMeta): Promise<ContractResult>;
}

const RUNNING_MAX = 32;
const ANSWER_CHARS = 100_000;

/** The message never reached the kernel, or the kernel knows no such verb. */
const NOT_DELIVERED = new Set([
  ...['BUS_DENIED', 'BUS_MUTED', 'BUS_NO_RESPONDERS', 'BUS_TOO_LARGE', 'BUS_BAD_SUBJECT', 'BUS_OVERLOADED'],
  ...['UNKNOWN_VERB', 'UNKNOWN_KERNEL', 'KERNEL_NOT_RUNNING', 'BAD_INPUT'],
]);

export function createContractor(
  ctx: KernelContext,
  gatherer: Gatherer,
  checker: Checker,
  journal: RunJournal,
): Contractor {
  let running = 0;

  const checkAll = async (
    clauses: readonly Clause[],
    kind: 'pre' | 'post',
    around: Record<string, unknown>,
  ): Promise<Checked> => {
    const gather = gatherer.look();
    const results = await Promise.all(
      clauses.map(async ({ name, condition }) => ({ name, ...(await checker.check(condition, kind, gather, around)) })),
    );
    return { verdict: allOf(results.map(({ verdict }) => verdict)), results };
  };

  const perform = async ({ kernel, verb, input, deadlineMs }: Deed, correlation: string): Promise<DeedDone> => {
    const startMono = ctx.clock.monoMs();
    const ms = (): number => Math.round(ctx.clock.monoMs() - startMono);
    try {
      const answer = await ctx.call(kernel, verb, input, { deadlineMs, correlation });
      return { kernel, verb, ok: true, ms: ms(), answer, happened: true };
    } catch (error) {
      const happened = NOT_DELIVERED.has(toWireError(error).code) ? false : null;
      return { kernel, verb, ok: false, ms: ms(), error: wordsOf(error), happened };
    }
  };

  /** What a post-condition may compare with: its own facts, as they were before. */
  const before = async (clauses: readonly Clause[]): Promise<Record<string, unknown>> => {
    const gather = gatherer.look();
    const found = await Promise.all(clauses.map(({ condition }) => gather(condition.facts)));
    return Object.assign(Object.create(null), ...found.map(valuesOf));
  };

  const carryOut = async (contract: Contract, meta: VerbMeta, id: string): Promise<ContractResult> => {
    const { action, compensate } = contract;
    const input = safely(action.input);
    const pre = await checkAll(contract.pre, 'pre', { input });
    const base = { id, pre, action: null, post: null, compensation: null, decisions: [] };
    if (pre.verdict !== 'holds') {
      return { ...base, outcome: 'not_done', reason: `nothing was done, for what must be so before ${words(pre)}` };
    }
    const decisions = [await askPermission(ctx, meta.from, action, contract.reason)];
    // Asked before, not after: what cannot be taken back is not begun.
    if (compensate)
      decisions.push(await askPermission(ctx, meta.from, compensate, `to take back ${action.kernel}.${action.verb}`));
    const earlier = await before(contract.post);
    const correlation = meta.correlation ?? id;
    journal.acting(id);
    const done = await perform(action, correlation);
    const answer = done.ok ? safely(done.answer) : undefined;
    const post = await checkAll(contract.post, 'post', {
      input,
      before: earlier,
      ...(answer === undefined ? {} : { answer }),
    });
    const outcome = outcomeOf(done, post.verdict);
    const isDue =
      compensate !== null && done.happened !== false && outcome !== 'kept' && compensate.on.includes(outcome);
    const compensation = compensate && isDue ? shown(await perform(compensate, correlation)) : null;
    const reason =
      outcome === 'failed'
        ? `${action.kernel}.${action.verb} was not done, or did not say so: ${done.error}`
        : outcome === 'kept'
          ? 'it was done, and all is as it must be after it'
          : `it was done, and what must be so after it ${words(post)}`;
    const tail = compensation
      ? `; the compensation ${compensation.ok ? 'was done' : `failed: ${compensation.error}`}`
      : '';
    return { id, outcome, reason: `${reason}${tail}`, pre, action: shown(done), post, compensation, decisions };
  };

  return {
    async run(contract, meta) {
      if (running >= RUNNING_MAX)
        throw new GraceError('CONFLICT', `${RUNNING_MAX} contracts run already; try again later`);
      const id = `contract-${randomUUID()}`;
      const { kernel, verb } = contract.action;
      running++;
      try {
        journal.begin({ id, by: meta.from, kernel, verb, startedMs: ctx.clock.wallMs() });
        const result = await carryOut(contract, meta, id);
        journal.end(id, result.outcome, result.reason, ctx.clock.wallMs());
        const { outcome, reason } = result;
        const news = { id, kernel, verb, by: meta.from, outcome, reason };
        ctx.bus.publish(`kernel.${ctx.id}.event.contract`, news).catch((error: Error) => {
          ctx.log.debug('the end of a contract was not told', { id, error: error.message });
        });
        return result;
      } catch (error) {
        if (!ctx.signal.aborted) journal.end(id, 'refused', wordsOf(error), ctx.clock.wallMs());
        throw error;
      } finally {
        running--;
      }
    },
  };
}

function outcomeOf(done: DeedDone, post: Verdict): 'kept' | 'broken' | 'unknown' | 'failed' {
  if (!done.ok) return 'failed';
  return post === 'holds' ? 'kept' : post;
}

function words({ verdict, results }: Checked): string {
  const culprits = results.filter((result) => result.verdict === verdict);
  const how = verdict === 'broken' ? 'is not so' : 'could not be told';
  return `${how}: ${culprits.map(({ name, reason }) => `${name}: ${reason}`).join('; ')}`.slice(0, 1000);
}

function shown(done: DeedDone): DeedDone {
  if (!Object.hasOwn(done, 'answer')) return done;
  return { ...done, answer: brief(done.answer ?? null, ANSWER_CHARS) };
}

/** A value that an expression may look at; undefined, so not there, where it is none. */
function safely(value: unknown): unknown {
  try {
    return plain(value);
  } catch {
    return undefined;
  }
}

function valuesOf(facts: Facts): Record<string, unknown> {
  return Object.fromEntries(Object.entries(facts).flatMap(([name, fact]) => (fact.ok ? [[name, fact.value]] : [])));
}
