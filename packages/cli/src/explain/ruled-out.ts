import type { Condition, IncidentKind } from '@grace/contracts';
import { showMs } from '../output/figures.ts';
import { flat, percent, spanOf } from './evidence-words.ts';
import { mineOf, named, type Scene } from './scene.ts';
import type { Sentence } from './story.ts';

/** Conditions that blame the kernel itself. */
const ACCUSING: ReadonlySet<Condition> = new Set<Condition>(['spinning', 'blocked', 'silent', 'leaking', 'flooding']);
/** Incidents for which being late might be somebody else's doing. */
const ABOUT_TIME: ReadonlySet<IncidentKind> = new Set<IncidentKind>([
  'kernel_hung',
  'heartbeat_gap',
  'cell_frozen',
  'cpu_overload',
]);
/** Share of the time from which an event loop counts as held by one callback; the judgement draws the same line. */
export const HELD_LOOP = 0.9;
/** Shares of the missed time a thread waited for a processor below which that does not explain its silence, and computed below which it did not loop. */
const WAITED_LITTLE = 0.35;
const COMPUTED_LITTLE = 0.2;
/** How long before the accusation a late observer still matters, ms. */
const LAG_MATTERS_MS = 2000;

/** The figures an accusation rests on, of a thread that did not answer; undefined where nothing of the kind was measured. */
export function accusationOf(scene: Scene): { figures: Record<string, unknown>; event: number } | undefined {
  const judged = mineOf(scene, 'kernel:condition').findLast(({ data }) => ACCUSING.has(data.to));
  const record = judged ?? mineOf(scene, 'detector:fire').find(({ data }) => 'cpuMs' in flat(data.evidence));
  return record && { figures: flat(record.data.evidence), event: record.seq };
}

/** What the records speak against. Only what was looked at can be ruled out. */
export function ruledOutOf(scene: Scene): Sentence[] {
  const found: Sentence[] = [];
  const say = (text: string, ...events: number[]): void => void found.push({ atMs: null, text, events });
  const { kind } = scene.opened.data.incident;
  const accusation = accusationOf(scene);
  if (ABOUT_TIME.has(kind)) {
    if (accusation) for (const text of againstTheThread(accusation.figures)) say(text, accusation.event);
    if (observerLags(scene).length === 0)
      say('not a late observer: the supervisor noted no lag of its own shortly before');
    if (!scene.full) say('not a full machine: not every core was busy');
    if (scene.about === 'kernel' && matesJudged(scene).length === 0)
      say(`not its whole cell: no other kernel of cell ${scene.opened.cell ?? '?'} was judged ill at that time`);
  }
  for (const exit of mineOf(scene, 'kernel:exit', 'cell:exit').slice(0, 1))
    if (!exit.data.expected) say('not an order of the supervisor: the end was not expected', exit.seq);
  if (scene.about === 'kernel' && mineOf(scene, 'kernel:hand').every(({ seq }) => seq > scene.opened.seq))
    say('not by hand: nobody gave an order before');
  if (mineOf(scene, 'fault:inject').length === 0) say('no drill: no fault was injected into it');
  return found;
}

/** Late entries of the supervisor's own watch shortly before the incident, or while it was being judged. */
export function observerLags({ around, opened }: Scene) {
  return named(around, 'system:lag').filter(
    ({ monoMs }) => monoMs >= opened.monoMs - LAG_MATTERS_MS && monoMs <= opened.monoMs,
  );
}

function matesJudged({ around, cells, subject, opened, mine }: Scene) {
  const begin = mine[0]?.seq ?? opened.seq;
  return named(around, 'kernel:condition').filter(
    ({ kernel, cell, seq, data }) =>
      kernel !== subject &&
      cell !== undefined &&
      cells.has(cell) &&
      data.to !== 'healthy' &&
      seq >= begin &&
      seq <= opened.seq,
  );
}

function againstTheThread(figures: Record<string, unknown>): string[] {
  const { cpuMs, runDelayMs, elu } = figures;
  const forMs = spanOf(figures);
  const texts: string[] = [];
  if (forMs !== undefined && forMs > 0) {
    if (typeof runDelayMs === 'number') {
      const share = runDelayMs / forMs;
      const waited = `of ${showMs(forMs)} it waited ${showMs(runDelayMs)} (${percent(share)}) for a processor`;
      if (share < WAITED_LITTLE) texts.push(`not starved: ${waited}`);
    }
    if (typeof cpuMs === 'number') {
      const burnt = `it burnt ${showMs(cpuMs)} of CPU in ${showMs(forMs)}`;
      texts.push(cpuMs / forMs < COMPUTED_LITTLE ? `not looping: ${burnt}` : `not waiting for something: ${burnt}`);
    }
  }
  if (typeof elu === 'number')
    texts.push(
      elu >= HELD_LOOP
        ? `not a stopped timer: its event loop was held ${percent(elu)} of the time`
        : `not a held event loop: it turned, held ${percent(elu)} of the time`,
    );
  return texts;
}
