import { setImmediate } from 'node:timers/promises';
import type { IncidentFact, RestartFact, RunFact } from '../record/facts.ts';
import { type Observed, type Series, type Span, seriesOf } from './series.ts';
import { type Share, type Summary, shareOf, summarise } from './summary.ts';
import { isTestable, judgeSeries, type SeriesVerdict } from './verdict.ts';

/** Times of a group of incidents. */
export interface Loop {
  count: number;
  /** Of these, while somebody drilled. */
  drills: number;
  escalated: number;
  /** Not closed. */
  open: number;
  /** Time to detect, ms, of those whose beginning is known; `unknown`: the others. */
  detect: Summary & { unknown: number };
  /** Time from opening to closing, ms. */
  recover: Summary;
}

export interface Restarts {
  count: number;
  justified: number;
  false: number;
  ordered: number;
  unknown: number;
  byCause: Record<string, number>;
}

export interface PlaybookResult {
  playbook: string;
  /** Runs that acted: healed, not healed, made worse. */
  healed: Share;
  outcomes: Record<string, number>;
  ms: Summary;
}

export interface Evaluation {
  span: Span;
  kinds: (Loop & { kind: string })[];
  kernels: (Loop & { kernel: string; restarts: Restarts; starts: Summary })[];
  restarts: Restarts & { falseOnes: RestartFact[] };
  playbooks: PlaybookResult[];
  series: SeriesVerdict[];
  /** Series that were long enough to look for a change, and share the false alarms allowed. */
  tests: number;
  /** Series that were left out, those with the fewest values. */
  left: number;
}

const FALSE_ONES_MAX = 20;
const SERIES_MAX = 300;

/** All of a span. Pure, but for the pauses between two series, in which others have their turn: a long evaluation must not look like a hang. */
export async function evaluate(observed: Observed, span: Span): Promise<Evaluation & { raw: Series[] }> {
  const all = seriesOf(observed, span);
  // An answer must fit into one message, and each series makes all others harder to tell from chance.
  const raw = all.toSorted((a, b) => b.points.length - a.points.length).slice(0, SERIES_MAX);
  raw.sort((a, b) => (a.name < b.name ? -1 : 1));
  const tests = raw.filter(isTestable).length;
  const series: SeriesVerdict[] = [];
  for (const one of raw) {
    series.push(judgeSeries(one, tests));
    await setImmediate();
  }
  const kernels = new Set([
    ...observed.restarts.map(({ kernel }) => kernel),
    ...observed.readies.map(({ kernel }) => kernel),
  ]);
  return {
    span,
    kinds: grouped(observed.incidents, ({ kind }) => kind).map(([kind, own]) => ({ kind, ...loopOf(own) })),
    kernels: [...kernels].sort().map((kernel) => ({
      kernel,
      ...loopOf(observed.incidents.filter(({ subject }) => subject === kernel)),
      restarts: restartsOf(observed.restarts.filter((restart) => restart.kernel === kernel)),
      starts: summarise(observed.readies.filter((ready) => ready.kernel === kernel).map(({ readyMs }) => readyMs)),
    })),
    restarts: {
      ...restartsOf(observed.restarts),
      falseOnes: observed.restarts.filter(({ verdict }) => verdict === 'false').slice(-FALSE_ONES_MAX),
    },
    playbooks: grouped(observed.runs, ({ playbook }) => playbook).map(([playbook, own]) => playbookOf(playbook, own)),
    series,
    tests,
    left: all.length - raw.length,
    raw,
  };
}

function loopOf(incidents: readonly IncidentFact[]): Loop {
  const detect = incidents.flatMap(({ detectMs }) => detectMs ?? []);
  return {
    count: incidents.length,
    drills: incidents.filter(({ drill }) => drill).length,
    escalated: incidents.filter(({ escalated }) => escalated).length,
    open: incidents.filter(({ closedMs }) => closedMs === null).length,
    detect: { ...summarise(detect), unknown: incidents.length - detect.length },
    recover: summarise(incidents.flatMap(({ recoverMs }) => recoverMs ?? [])),
  };
}

function restartsOf(restarts: readonly RestartFact[]): Restarts {
  const of = (wanted: string): number => restarts.filter(({ verdict }) => verdict === wanted).length;
  return {
    count: restarts.length,
    ...{ justified: of('justified'), false: of('false'), ordered: of('ordered'), unknown: of('unknown') },
    byCause: tally(restarts.map(({ cause }) => cause)),
  };
}

function playbookOf(playbook: string, runs: readonly RunFact[]): PlaybookResult {
  const acted = runs.filter(
    ({ outcome }) => outcome === 'healed' || outcome === 'not healed' || outcome === 'made worse',
  );
  return {
    playbook,
    healed: shareOf(acted.filter(({ outcome }) => outcome === 'healed').length, acted.length),
    outcomes: tally(runs.map(({ outcome }) => outcome ?? 'not told')),
    ms: summarise(acted.flatMap(({ ms }) => ms ?? [])),
  };
}

function tally(words: readonly string[]): Record<string, number> {
  return Object.fromEntries(grouped(words, (word) => word).map(([word, own]) => [word, own.length]));
}

function grouped<T>(all: readonly T[], keyOf: (one: T) => string): [string, T[]][] {
  return [...Map.groupBy(all, keyOf)].sort(([a], [b]) => (a < b ? -1 : 1));
}
