import type { Decision } from '../decisions/decision.ts';
import type { Happening } from '../happenings/happening.ts';
import { decisionSentences } from './decision-words.ts';
import { bind, missing, type Sentence, type Story, said } from './story.ts';
import { tell } from './words.ts';

/** An entry of the audit record, or why it could not be read. */
export type AuditFound = { seq: number; atMs: number; words: string } | { seq: number; error: string };

/** All that is known of a decision. */
export interface DecisionCase {
  decision: Decision;
  /** Journal records it names, those that are kept here. */
  records: ReadonlyMap<number, Happening>;
  /** Per incident it names: what is known of it; empty when nothing is. */
  incidents: ReadonlyMap<string, readonly Happening[]>;
  audit: readonly AuditFound[];
  /** Decisions it follows from, and those that follow from it. */
  grounds: readonly Decision[];
  followers: readonly Decision[];
  /** What carries the same correlation. */
  correlated: readonly Happening[];
}

/** A decision as a causal story. Pure. */
export function decisionStory(given: DecisionCase): Story {
  const { decision, records, incidents, audit, grounds, followers, correlated } = given;
  const { evidence } = decision;
  const decidedMs = decision.whenMs ?? decision.atMs;
  const first: Sentence[] = [];
  const noticed: Sentence[] = [];
  const done: Sentence[] = [];
  const ended: Sentence[] = [];

  for (const seq of evidence.records) {
    const happening = records.get(seq);
    const text = happening && (tell(happening)?.text ?? `${happening.name} of ${happening.about ?? 'the system'}`);
    first.push(
      happening && text
        ? said(happening.atMs, text, { record: seq })
        : missing(`what journal record ${seq} says: it was not heard, or is no longer kept here`, { record: seq }),
    );
  }
  for (const found of audit) {
    first.push(
      'words' in found
        ? said(found.atMs, found.words, { audit: found.seq })
        : missing(`what entry ${found.seq} of the audit record says: ${found.error}`, { audit: found.seq }),
    );
  }
  for (const ground of grounds) {
    const text = `it follows from a decision of ${ground.by}: ${ground.what}`;
    first.push(said(ground.whenMs ?? ground.atMs, text, { decision: ground.id }));
  }
  for (const [id, happenings] of incidents) {
    const opened = happenings.find(({ name }) => name === 'incident:open');
    if (opened?.record.name === 'incident:open')
      first.push(
        said(
          opened.atMs,
          `an incident was opened: ${opened.record.data.incident.title}`,
          { incident: id },
          { record: opened.seq },
        ),
      );
    else first.push(missing(`what incident ${id} was: it was not heard, or is no longer kept here`, { incident: id }));
  }
  if (first.length === 0) first.push(missing('what led to it: no evidence was given'));

  const later = new Map<number, Happening>();
  for (const happening of [...correlated, ...[...incidents.values()].flat()]) later.set(happening.seq, happening);
  for (const happening of later.values()) {
    const told = tell(happening);
    if (!told || evidence.records.includes(happening.seq)) continue;
    const sentence = said(happening.atMs, told.text, { record: happening.seq });
    if (told.chapter === 'noticed') noticed.push(sentence);
    else if (happening.atMs < decidedMs) first.push(sentence);
    else if (told.chapter === 'ended') ended.push(sentence);
    else done.push(sentence);
  }
  for (const follower of followers) {
    const text = `${follower.by} decided because of it: ${follower.what}`;
    done.push(said(follower.whenMs ?? follower.atMs, text, { decision: follower.id }));
  }
  const isLinked = decision.correlation !== null || evidence.incidents.length > 0;
  const unlinked = 'it names no incident and carries no correlation';
  if (noticed.length === 0) noticed.push(missing(`which detector noticed anything${isLinked ? '' : `: ${unlinked}`}`));
  if (done.length === 0) done.push(missing(`what was done after it${isLinked ? '' : `: ${unlinked}`}`));
  if (ended.length === 0) ended.push(missing(`how it ended${isLinked ? '' : `: ${unlinked}`}`));
  return bind({
    kind: 'decision',
    id: decision.id,
    title: decision.what,
    state: ended.some(({ established }) => established)
      ? 'closed'
      : done.some(({ established }) => established)
        ? 'open'
        : 'unknown',
    correlation: decision.correlation,
    first,
    noticed,
    decided: decisionSentences(decision),
    done,
    ended,
  });
}
