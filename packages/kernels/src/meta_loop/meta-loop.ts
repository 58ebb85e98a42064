import { didYouMean, GraceError, toWireError } from '@grace/contracts';
import type { KernelContext, KernelStore } from '@grace/kernel-sdk';
import { type Evaluation, evaluate } from './judge/evaluate.ts';
import { type Observed, type Series, type Span, seriesOf } from './judge/series.ts';
import { type Proposal, propose, type Unhelped } from './propose/proposal.ts';
import type { Book } from './record/book.ts';
import { readPlaybookRuns } from './record/playbook-runs.ts';
import type { JournalReader, Reading } from './record/reader.ts';
import type { Settings } from './settings.ts';
import type { KnobAccess } from './tune/knob-access.ts';
import type { Tuner } from './tune/tuner.ts';

/** What an evaluation came to, as it is kept. */
export interface EvaluationNote {
  atMs: number;
  why: string;
  incidents: number;
  tests: number;
  worse: string[];
  better: string[];
  proposals: string[];
}

export interface Judged extends Evaluation {
  journal: Reading;
  proposals: Proposal[];
  unhelped: Unhelped[];
}

/** What is proposed now, and what it was told by governance where it asked by itself. */
export interface Standing {
  atMs: number;
  proposals: (Proposal & { held: string | null })[];
  unhelped: Unhelped[];
}

export interface MetaLoop {
  /** Reads what is new, judges all of it, and says what would help. Changes nothing in the system. */
  evaluate(windowMs: number): Promise<Judged & { raw: Series[] }>;
  /** The same for the configured window; keeps a note of it, looks at experiments, and where it may, tries what is proposed. */
  round(why: string): Promise<Judged>;
  standing(): Standing | undefined;
  /** @throws GraceError `NOT_FOUND` with the nearest */
  proposal(id: string): Promise<Proposal>;
  notes(limit: number): EvaluationNote[];
}

export const NOTE_TABLES = `
  CREATE TABLE evaluation (seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms REAL NOT NULL, body TEXT NOT NULL);
`;
const NOTES_MAX = 1000;

/** Everything that is known of a span. */
export function observedIn(book: Book, { fromMs, toMs }: Span): Observed {
  return {
    ...{
      incidents: book.incidents(fromMs, toMs),
      restarts: book.restarts(fromMs, toMs),
      runs: book.runs(fromMs, toMs),
    },
    ...{ readies: book.readies(fromMs, toMs), pressures: book.pressures(fromMs, toMs) },
  };
}

/** Values of one series after `fromMs`. A count has its buckets from there on, so that each is as long as those before. */
export function seriesAfter(book: Book, nowMs: number) {
  return (name: string, fromMs: number, bucketMs: number | null): number[] => {
    const span = { fromMs, toMs: nowMs };
    const found = seriesOf(observedIn(book, span), span, bucketMs ?? undefined).find((series) => series.name === name);
    if (found) return found.points.map(({ value }) => value);
    // Nothing happened, which of a count is something.
    return bucketMs === null ? [] : new Array<number>(Math.floor(Math.max(0, nowMs - fromMs) / bucketMs)).fill(0);
  };
}

export function createMetaLoop(
  ctx: KernelContext,
  parts: {
    store: KernelStore;
    book: Book;
    reader: JournalReader;
    access: KnobAccess;
    tuner: Tuner;
    settings: Settings;
  },
): MetaLoop {
  const { store, book, reader, access, tuner, settings } = parts;
  let standing: Standing | undefined;
  /** One after the other: each reads, judges and writes the same tables. */
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work);
    last = turn.catch(() => {});
    return turn;
  };
  /** Asked for after reading: a count begins with the first thing known, since before it nobody looked. */
  const back = (windowMs: number): Span => {
    const toMs = ctx.clock.wallMs();
    return { fromMs: Math.max(toMs - windowMs, book.firstMs() ?? toMs), toMs };
  };

  const judge = async (windowMs = settings.windowMs): Promise<Judged & { raw: Series[] }> => {
    const journal = await reader.catchUp();
    await readPlaybookRuns(ctx, book);
    const span = back(windowMs);
    const evaluation = await evaluate(observedIn(book, span), span);
    const judged = evaluation.raw.map((series, i) => ({ series, verdict: evaluation.series[i]! }));
    return { ...evaluation, journal, ...(await propose(judged, access.read)) };
  };

  const note = (judged: Judged, why: string): void => {
    const of = (course: string): string[] =>
      judged.series.filter((one) => one.course === course).map(({ name }) => name);
    const body: EvaluationNote = {
      ...{ atMs: ctx.clock.wallMs(), why, incidents: judged.kinds.reduce((sum, { count }) => sum + count, 0) },
      ...{
        tests: judged.tests,
        worse: of('worse'),
        better: of('better'),
        proposals: judged.proposals.map(({ id }) => id),
      },
    };
    store.transaction(() => {
      store.db.prepare('INSERT INTO evaluation (at_ms, body) VALUES (?, ?)').run(body.atMs, JSON.stringify(body));
      store.db.prepare('DELETE FROM evaluation WHERE seq <= (SELECT max(seq) FROM evaluation) - ?').run(NOTES_MAX);
    });
  };

  /** Asks for each that nothing stands in the way of; the first that is permitted is tried, and the others wait for the next round. */
  const tryOne = async (proposals: readonly Proposal[]): Promise<Map<string, string>> => {
    const held = new Map<string, string>();
    let tried = false;
    for (const proposal of proposals) {
      const hindered = tuner.obstacle(proposal);
      if (hindered !== undefined) held.set(proposal.id, hindered);
      else if (tried) held.set(proposal.id, 'another one is being tried first');
      else if (!settings.automatic) held.set(proposal.id, 'it only proposes: config.automatic is false');
      else {
        try {
          const experiment = await tuner.apply(proposal, ctx.id);
          held.set(proposal.id, `${experiment.id} tries it`);
          tried = true;
        } catch (error) {
          const { code, message } = toWireError(error);
          held.set(proposal.id, `${code}: ${message}`);
        }
      }
    }
    return held;
  };

  return {
    evaluate: (windowMs) => inTurn(() => judge(windowMs)),
    round: (why) =>
      inTurn(async () => {
        const judged = await judge();
        if (ctx.signal.aborted) return judged;
        note(judged, why);
        await tuner.look();
        const held = ctx.signal.aborted ? new Map<string, string>() : await tryOne(judged.proposals);
        standing = {
          atMs: ctx.clock.wallMs(),
          proposals: judged.proposals.map((proposal) => ({ ...proposal, held: held.get(proposal.id) ?? null })),
          unhelped: judged.unhelped,
        };
        return judged;
      }),
    standing: () => standing,
    async proposal(id) {
      const known = (): Proposal | undefined => standing?.proposals.find((proposal) => proposal.id === id);
      const found = known() ?? (await inTurn(() => judge())).proposals.find((proposal) => proposal.id === id);
      if (found) return found;
      const ids = standing?.proposals.map((proposal) => proposal.id) ?? [];
      throw new GraceError('NOT_FOUND', `no proposal is called ${JSON.stringify(id)}${didYouMean(id, ids)}`, { id });
    },
    notes: (limit) =>
      (store.db.prepare('SELECT body FROM evaluation ORDER BY seq DESC LIMIT ?').all(limit) as { body: string }[]).map(
        ({ body }) => JSON.parse(body) as EvaluationNote,
      ),
  };
}
