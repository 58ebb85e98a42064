import { didYouMean, GraceError, type VerbMeta } from '@grace/contracts';
import { is, type KernelContext, readInput, type Verb } from '@grace/kernel-sdk';
import { type Answer, createChooser, redraw, SEED_MAX } from './choice/chooser.ts';
import type { ChoiceRecord } from './choice/record.ts';
import type { Courier } from './courier.ts';
import type { HandworkBook } from './handwork/book.ts';
import type { DraftDesk } from './handwork/desk.ts';
import type { Ear } from './hearing/ear.ts';
import type { OutcomeBook, Pair } from './outcomes/book.ts';
import { createForecast, leftOf } from './outcomes/knowledge.ts';
import { ENDS, keyOf } from './outcomes/outcome.ts';

/** More are no choice but a catalogue. */
const CANDIDATES_MAX = 50;
const TOOK_MAX_MS = 7 * 24 * 3_600_000;
const PAGE_MAX = 200;

const signature = is.string({ max: 200, pattern: /^[^\p{Cc}]+$/u, what: 'a signature, or the kind of an incident' });
const playbook = is.string({ max: 100, pattern: /^[a-z][a-z0-9_-]*$/i, what: 'the id of a playbook' });
const word = is.string({ max: 200 });

export interface VerbParts {
  ctx: KernelContext;
  outcomes: OutcomeBook;
  handwork: HandworkBook;
  choices: ChoiceRecord;
  courier: Courier;
  desk: DraftDesk;
  ear: Ear;
  halfLifeMs: number;
}

export function createVerbs(parts: VerbParts): Record<string, Verb> {
  const { ctx, outcomes, handwork, choices, courier, desk, ear, halfLifeMs } = parts;
  const chooser = createChooser(parts);
  const known = (what: string, name: string, names: readonly string[]): void => {
    if (names.includes(name)) return;
    throw new GraceError(
      'NOT_FOUND',
      `nothing is known of the ${what} ${JSON.stringify(name)}${didYouMean(name, names)}`,
    );
  };

  return {
    record(input, { from }: VerbMeta) {
      const given = readInput(input, {
        signature,
        playbook,
        outcome: is.oneOf(ENDS),
        tookMs: is.number({ min: 0, max: TOOK_MAX_MS }),
        incident: is.optional(word),
        key: word,
      });
      const outcome = {
        key: keyOf(from, given.key),
        ...{ playbook: given.playbook, signature: given.signature, incident: given.incident ?? null },
        ...{ end: given.outcome, tookMs: given.tookMs, atMs: ctx.clock.wallMs(), by: from },
      };
      const taken = ctx.store.transaction(() => {
        const kind = outcome.incident === null ? null : handwork.kindOf(outcome.incident);
        const answer = outcomes.take(outcome, kind, false);
        outcomes.prune();
        return answer;
      });
      desk.changed();
      return { key: given.key, repeated: taken !== 'new' };
    },

    choose(input, { from, correlation }: VerbMeta): Answer {
      const given = readInput(input, {
        signature,
        candidates: is.array(playbook, { max: CANDIDATES_MAX }),
        seed: is.optional(is.number({ min: 0, max: SEED_MAX, integer: true })),
        incident: is.optional(word),
      });
      const { candidates } = given;
      if (candidates.length === 0) throw new GraceError('BAD_INPUT', 'input.candidates: expected at least one id');
      const twice = candidates.find((one, i) => candidates.indexOf(one) !== i);
      if (twice !== undefined)
        throw new GraceError('BAD_INPUT', `input.candidates: expected ids that differ, got "${twice}" twice`);
      ear.flush();
      return chooser({ ...given, by: from, correlation });
    },

    statistics(input) {
      const given = readInput(input, {
        signature: is.optional(signature),
        playbook: is.optional(playbook),
        after: is.optional(is.record()),
        limit: is.optional(is.number({ min: 1, max: PAGE_MAX, integer: true })),
      });
      ear.flush();
      if (given.signature !== undefined) known('signature', given.signature, outcomes.signatures());
      if (given.playbook !== undefined) known('playbook', given.playbook, outcomes.playbooks());
      const limit = given.limit ?? 50;
      const after: Pair | undefined = given.after && readInput(given.after, { signature, playbook });
      const rows = outcomes.statistics({
        signature: given.signature,
        playbook: given.playbook,
        after,
        limit: limit + 1,
      });
      const page = rows.slice(0, limit);
      const nowMs = ctx.clock.wallMs();
      const forecast = createForecast(outcomes, { nowMs, halfLifeMs });
      const last = page.at(-1);
      return {
        statistics: page.map(({ signature: against, playbook: id, counts, lastMs, healedInMs }) => {
          const { mean, low, high } = forecast(against, id);
          return {
            ...{ signature: against, playbook: id, counts, rate: mean, low, high },
            ...{ healedInMs, last: new Date(lastMs).toISOString(), weightOfLast: leftOf(lastMs, nowMs, halfLifeMs) },
          };
        }),
        halfLifeMs,
        after: rows.length > limit && last ? { signature: last.signature, playbook: last.playbook } : null,
      };
    },

    async drafts(input) {
      const { id } = readInput(input, { id: is.optional(word) });
      ear.flush();
      if (id !== undefined) return shown(await desk.draft(id));
      return { drafts: (await desk.drafts()).map(({ yaml, ...rest }) => shown({ ...rest, playbook: yaml !== null })) };
    },

    choices(input) {
      const { id, limit } = readInput(input, {
        id: is.optional(word),
        limit: is.optional(is.number({ min: 1, max: PAGE_MAX, integer: true })),
      });
      if (id === undefined) return { choices: choices.newest(limit ?? 20) };
      const choice = choices.get(id);
      if (!choice) {
        const ids = choices.newest(PAGE_MAX).map((one) => one.id);
        throw new GraceError('NOT_FOUND', `no choice has the id ${JSON.stringify(id)}${didYouMean(id, ids)}`, { id });
      }
      const again = redraw(choice);
      return { ...choice, redrawn: again, same: again.playbook === choice.playbook };
    },

    status(input) {
      readInput(input, {});
      ear.flush();
      return {
        outcomes: outcomes.counts(),
        signatures: outcomes.signatures().length,
        playbooks: outcomes.playbooks().length,
        choices: choices.counts(),
        drafts: desk.count(),
        halfLifeMs,
        hearing: ear.status(),
        decisionsUntold: courier.waiting(),
      };
    },
  };
}

function shown<T extends { firstMs: number; lastMs: number }>({ firstMs, lastMs, ...rest }: T) {
  return { ...rest, first: new Date(firstMs).toISOString(), last: new Date(lastMs).toISOString() };
}
