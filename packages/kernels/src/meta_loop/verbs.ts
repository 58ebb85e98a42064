import type { VerbMeta } from '@grace/contracts';
import { didYouMean, GraceError } from '@grace/contracts';
import { is, type KernelContext, readInput, type Verb } from '@grace/kernel-sdk';
import type { Series } from './judge/series.ts';
import type { MetaLoop } from './meta-loop.ts';
import { KNOBS, knobOf } from './propose/knob.ts';
import type { Book } from './record/book.ts';
import type { JournalReader } from './record/reader.ts';
import type { Settings } from './settings.ts';
import type { Telling } from './telling.ts';
import type { ExperimentBook } from './tune/experiment.ts';
import type { Tuner } from './tune/tuner.ts';

export interface VerbParts {
  ctx: KernelContext;
  settings: Settings;
  book: Book;
  reader: JournalReader;
  loop: MetaLoop;
  tuner: Tuner;
  experiments: ExperimentBook;
  telling: Telling;
}

const word = is.string({ max: 200 });
const limit = is.optional(is.number({ min: 1, max: 500, integer: true }));
const HOUR_MS = 3_600_000;
const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: HOUR_MS, d: 24 * HOUR_MS };
const WINDOW_MAX_MS = 366 * 24 * HOUR_MS;

export function createVerbs(parts: VerbParts): Record<string, Verb> {
  const { ctx, settings, book, reader, loop, tuner, experiments, telling } = parts;
  return {
    async evaluate(input: unknown) {
      const { window, series } = readInput(input, { window: is.optional(windowMs), series: is.optional(word) });
      const { raw, ...judged } = await loop.evaluate(window ?? settings.windowMs);
      if (series === undefined) return judged;
      const { points, ...about } = named(raw, series);
      const verdict = judged.series.find(({ name }) => name === series);
      return { ...about, journal: judged.journal, tests: judged.tests, verdict, points: points.map(brief) };
    },
    async proposals(input: unknown) {
      readInput(input, {});
      if (loop.standing() === undefined) await loop.round('somebody asked');
      const { atMs, proposals, unhelped } = loop.standing()!;
      return { atMs, proposals, unhelped, knobs: KNOBS.map(knobOf), automatic: settings.automatic };
    },
    async apply(input: unknown, meta: VerbMeta) {
      const { proposal } = readInput(input, { proposal: word });
      return await tuner.apply(await loop.proposal(proposal), meta.from);
    },
    async rollback(input: unknown, meta: VerbMeta) {
      const { experiment, reason } = readInput(input, {
        experiment: word,
        reason: is.optional(is.string({ max: 500 })),
      });
      return await tuner.rollback(experiment, meta.from, reason ?? 'no reason given');
    },
    history(input: unknown) {
      const given = readInput(input, { limit, experiment: is.optional(word) });
      if (given.experiment !== undefined) return { experiments: [experiments.get(given.experiment)], evaluations: [] };
      const most = given.limit ?? 20;
      return { experiments: experiments.list(most), evaluations: loop.notes(most) };
    },
    status(input: unknown) {
      readInput(input, {});
      return {
        kernel: ctx.id,
        incarnation: ctx.incarnation,
        journal: reader.standing(),
        facts: book.counts(),
        experiments: experiments.counts(),
        underWay: experiments.underWay().map(({ id, state, why }) => ({ id, state, why })),
        proposals: loop.standing()?.proposals.length ?? null,
        evaluatedMs: loop.standing()?.atMs ?? null,
        automatic: settings.automatic,
        untold: telling.waiting(),
      };
    },
  };
}

/** A number of ms, or one with a unit: "90m", "24h", "7d". */
function windowMs(value: unknown, place: string): number {
  const match = typeof value === 'string' ? /^(\d{1,6})(s|m|h|d)$/.exec(value) : null;
  const ms = match ? Number(match[1]) * UNITS[match[2]!]! : value;
  if (typeof ms === 'number' && Number.isFinite(ms) && ms >= 1000 && ms <= WINDOW_MAX_MS) return ms;
  const got =
    typeof value === 'string'
      ? JSON.stringify(value.slice(0, 60))
      : String(typeof value === 'number' ? value : typeof value);
  throw new GraceError('BAD_INPUT', `${place}: expected a time from 1s to 366d, like 24h, or as many ms, got ${got}`, {
    place,
  });
}

function named(all: readonly Series[], name: string): Series {
  const found = all.find((series) => series.name === name);
  if (found) return found;
  const names = all.map((series) => series.name);
  throw new GraceError('NOT_FOUND', `no series is called ${JSON.stringify(name)}${didYouMean(name, names)}`, { name });
}

function brief({ atMs, value, incident }: Series['points'][number]): object {
  return { atMs, value, ...(incident ? { incident: incident.id } : {}) };
}
