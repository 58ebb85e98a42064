import type { Incident } from '@grace/contracts';
import type { Decision } from '../decisions/decision.ts';
import type { Happening } from '../happenings/happening.ts';
import { decisionSentences } from './decision-words.ts';
import { bind, CHAPTERS, type Chapter, missing, type Sentence, type Story, said } from './story.ts';
import { tell } from './words.ts';

/** All that is known of an incident. */
export interface IncidentCase {
  id: string;
  /** What belongs to it, in the order of the journal. */
  happenings: readonly Happening[];
  decisions: readonly Decision[];
  /** As the supervisor has it now; null: it did not answer, or has forgotten it. */
  incident: Incident | null;
}

/** How far before its opening signs are looked for. */
export const LOOK_BACK_MS = 10_000;

/** An incident as a causal story: what is on record, and what is missing, each said as what it is. Pure. */
export function incidentStory({ id, happenings, decisions, incident }: IncidentCase): Story {
  const parts = Object.fromEntries(CHAPTERS.map((chapter) => [chapter, [] as Sentence[]])) as Record<
    Chapter,
    Sentence[]
  >;
  const opened = happenings.find(({ name }) => name === 'incident:open');
  const openedAs = opened?.record.name === 'incident:open' ? opened.record.data.incident : incident;
  const explained = new Set(decisions.flatMap(({ evidence }) => evidence.records));

  for (const happening of happenings) {
    const told = tell(happening);
    if (!told) continue;
    const link = { record: happening.seq };
    // Who says why by recording a decision about this very record, says it there.
    const why =
      told.why === undefined
        ? ''
        : told.why !== null
          ? `, because: ${told.why}`
          : explained.has(happening.seq)
            ? ', because: see the decision on record'
            : '';
    parts[told.chapter].push(said(happening.atMs, `${told.text}${why}`, link));
    if (told.why === null && !explained.has(happening.seq))
      parts.decided.push(
        missing(`why ${told.text}: no decision on record names journal record ${happening.seq}`, link),
      );
  }
  for (const decision of decisions) parts.decided.push(...decisionSentences(decision));

  if (openedAs && !opened) {
    parts.noticed.push(said(null, `the supervisor opened it: ${openedAs.title}`));
    for (const { method, evidence } of incident?.detectors ?? [])
      parts.noticed.push(said(null, `${method} noticed it: ${JSON.stringify(evidence).slice(0, 300)}`));
    if (incident?.closedMono !== undefined)
      parts.ended.push(said(null, `the incident was closed: ${incident.outcome ?? 'no outcome was given'}`));
  }
  const isClosed = parts.ended.some(({ text }) => text.startsWith('the incident was closed'));
  if (parts.first.length === 0) parts.first.push(missing('what happened before it was noticed'));
  if (!parts.noticed.some(({ text }) => / noticed it/.test(text)))
    parts.noticed.push(missing('which detector noticed it'));
  if (parts.decided.length === 0) parts.decided.push(missing('that anybody decided anything'));
  if (parts.done.length === 0) parts.done.push(missing('that anything was done'));
  if (!isClosed) parts.ended.push(missing('how it ended: it was not closed'));
  const unheard = (incident?.events ?? []).filter((seq) => !happenings.some((happening) => happening.seq === seq));
  if (unheard.length > 0) {
    const shown = unheard.slice(0, 50).map((record) => ({ record }));
    parts.ended.push(missing(`what ${unheard.length} journal records of it say, which were not heard here`, ...shown));
  }
  return bind({
    kind: 'incident',
    id,
    title: openedAs ? `${openedAs.title} (${openedAs.kind}, ${openedAs.severity})` : 'not established',
    state: isClosed ? 'closed' : openedAs ? 'open' : 'unknown',
    correlation: openedAs?.correlation ?? opened?.correlation ?? null,
    ...parts,
  });
}

/**
 * What of the happenings about the subject of an incident belongs to it: from its first sign, which is after the subject was last well, to
 * its closing. Pure.
 */
export function sceneOf(opened: Happening, closedSeq: number, about: readonly Happening[]): Happening[] {
  const well = about.findLast(
    ({ seq, name, record, correlation }) =>
      seq < opened.seq &&
      (correlation === null || correlation !== opened.correlation) &&
      (name === 'kernel:ready' ||
        name === 'incident:close' ||
        (record.name === 'kernel:condition' && record.data.to === 'healthy')),
  );
  return about.filter(
    ({ seq, atMs, incident }) =>
      seq > (well?.seq ?? 0) &&
      seq <= closedSeq &&
      atMs >= opened.atMs - LOOK_BACK_MS &&
      (incident === null || incident === opened.incident),
  );
}
