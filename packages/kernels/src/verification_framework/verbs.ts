import { GraceError, type VerbMeta } from '@grace/contracts';
import { is, type KernelContext, readInput, type Verb } from '@grace/kernel-sdk';
import { readContract } from './contract/contract.ts';
import type { RunJournal } from './contract/journal.ts';
import type { Contractor } from './contract/perform.ts';
import type { Gatherer } from './facts/gather.ts';
import { plain } from './facts/plain.ts';
import type { ViolationBook } from './invariants/book.ts';
import type { Rounds } from './invariants/rounds.ts';
import { readRule } from './rules/read.ts';
import type { Rule } from './rules/rule.ts';
import type { Shelf } from './rules/shelf.ts';
import type { Checker } from './verdict/checker.ts';
import { sourceWords } from './verdict/judge.ts';

export interface VerbParts {
  ctx: KernelContext;
  shelf: Shelf;
  rounds: Rounds;
  book: ViolationBook;
  gatherer: Gatherer;
  checker: Checker;
  contractor: Contractor;
  journal: RunJournal;
  reads: readonly string[];
}

const id = is.string({ max: 64 });
const limitOf = (max: number) => is.optional(is.number({ min: 1, max, integer: true }));

export function createVerbs(parts: VerbParts): Record<string, Verb> {
  const { ctx, shelf, rounds, book, gatherer, checker, contractor, journal, reads } = parts;

  return {
    async define(input: unknown) {
      const { rule: given } = readInput(input, { rule: is.record() });
      const rule = await readRule(given, reads);
      const { replaced } = shelf.define(rule);
      rounds.use(shelf.all());
      return { ...describe(rule), replaced };
    },
    remove(input: unknown) {
      const { id: one } = readInput(input, { id });
      shelf.remove(one);
      rounds.use(shelf.all());
      return { id: one, removed: true };
    },
    rules(input: unknown) {
      const { id: one } = readInput(input, { id: is.optional(id) });
      return (one === undefined ? shelf.all() : [shelf.get(one)]).map(describe);
    },
    async check(input: unknown) {
      const given = readInput(input, {
        id: is.optional(id),
        rule: is.optional(is.record()),
        with: is.optional(is.record()),
      });
      if ((given.id === undefined) === (given.rule === undefined))
        throw new GraceError('BAD_INPUT', 'input: expected either id or rule, and not both');
      const around = readAround(given.with ?? {});
      const rule = given.id === undefined ? await readRule(given.rule, reads) : shelf.get(given.id);
      const isKept = given.id !== undefined && rule.kind === 'invariant';
      const result = isKept ? await rounds.look(rule) : await checker.check(rule, rule.kind, gatherer.look(), around);
      return { id: rule.id, ...result };
    },
    async around(input: unknown, meta: VerbMeta) {
      return await contractor.run(await readContract(input, ctx.id, shelf, reads), meta);
    },
    runs(input: unknown) {
      const { limit } = readInput(input, { limit: limitOf(1000) });
      return journal.list(limit ?? 50);
    },
    invariants(input: unknown) {
      const { id: one, limit } = readInput(input, { id: is.optional(id), limit: limitOf(1000) });
      const wanted = one === undefined ? shelf.all() : [shelf.get(one)];
      const invariants = wanted.filter(({ kind }) => kind === 'invariant');
      if (one !== undefined && invariants.length === 0)
        throw new GraceError('BAD_INPUT', `input.id: "${one}" is a rule of kind ${wanted[0]!.kind}, not an invariant`);
      return {
        invariants: invariants.map((rule) => ({
          id: rule.id,
          title: rule.title,
          violated: book.open(rule.id) !== undefined,
          // Not looked at is not known.
          ...(rounds.last(rule.id) ?? { verdict: 'unknown', reason: 'it was not looked at yet', atMs: null }),
        })),
        history: book.changes(one, limit ?? 50),
      };
    },
    violations(input: unknown) {
      const given = readInput(input, {
        rule: is.optional(id),
        open: is.optional(is.boolean()),
        since: is.optional(is.number({ min: 0 })),
        until: is.optional(is.number({ min: 0 })),
        limit: limitOf(500),
      });
      const { rule, open, since: fromMs = 0, until: toMs = Number.MAX_SAFE_INTEGER } = given;
      if (fromMs > toMs)
        throw new GraceError('BAD_INPUT', 'input.since: expected a time that is not after input.until');
      const wanted = { ...(rule === undefined ? {} : { rule }), ...(open === undefined ? {} : { open }) };
      return book.list({ ...wanted, fromMs, toMs, limit: given.limit ?? 50 });
    },
    status(input: unknown) {
      readInput(input, {});
      const rules = shelf.all();
      const invariants = rules.filter(({ kind }) => kind === 'invariant');
      const verdict = (wanted: string): number =>
        invariants.filter((rule) => (rounds.last(rule.id)?.verdict ?? 'unknown') === wanted).length;
      return {
        kernel: ctx.id,
        incarnation: ctx.incarnation,
        rules: rules.length,
        invariants: invariants.length,
        holds: verdict('holds'),
        broken: verdict('broken'),
        unknown: verdict('unknown'),
        violations: book.counts(),
        looks: rounds.looks(),
      };
    },
  };
}

/** What a post-condition sees beside its facts, where it is tried by hand. */
function readAround(given: Record<string, unknown>): Record<string, unknown> {
  const around = readInput(given, { input: is.unknown(), answer: is.unknown(), before: is.unknown() });
  return Object.fromEntries(
    Object.entries(around)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => {
        try {
          return [name, plain(value)];
        } catch (error) {
          throw new GraceError('BAD_INPUT', `input.with.${name}: ${(error as Error).message}`, { field: name });
        }
      }),
  );
}

function describe({ facts, ...rule }: Rule): Record<string, unknown> {
  const told = Object.entries(facts).map(([name, fact]) => [
    name,
    { from: sourceWords(fact), withinMs: fact.withinMs },
  ]);
  return { ...rule, facts: Object.fromEntries(told) };
}
