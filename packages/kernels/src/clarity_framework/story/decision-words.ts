import type { Decision } from '../decisions/decision.ts';
import { type Link, missing, type Sentence, said } from './story.ts';

/** A decision in sentences: who, what, why, how, what else was thought of, how sure. What was not said is said to be so. */
export function decisionSentences(decision: Decision): Sentence[] {
  const { id, by, who, what, where, why, how, alternatives, confidence, evidence } = decision;
  const atMs = decision.whenMs ?? decision.atMs;
  const link: Link = { decision: id };
  const name = who === by ? by : `${who} (recorded by ${by})`;
  const links = [link, ...linksOf(evidence)];
  return [
    said(atMs, `${name} decided${where === null ? '' : `, about ${where}`}: ${what}`, ...links),
    why === null ? missing(`why ${by} decided "${shortly(what)}"`, link) : said(atMs, `because: ${why}`, link),
    how === null ? missing(`how it was to be done`, link) : said(atMs, `how: ${how}`, link),
    ...alternatives.map(({ what: other, whyNot }) =>
      whyNot === null
        ? missing(`why not "${shortly(other)}", which was thought of`, link)
        : said(atMs, `not ${other}, because: ${whyNot}`, link),
    ),
    confidence === null
      ? missing(`how sure ${by} was`, link)
      : said(atMs, `confidence ${Math.round(confidence * 100)} %`, link),
  ];
}

export function linksOf({ records, incidents, audit, decisions }: Decision['evidence']): Link[] {
  return [
    ...records.map((record) => ({ record })),
    ...incidents.map((incident) => ({ incident })),
    ...audit.map((seq) => ({ audit: seq })),
    ...decisions.map((decision) => ({ decision })),
  ];
}

function shortly(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
