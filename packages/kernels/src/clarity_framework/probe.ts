import { GraceError } from '@grace/contracts';
import { type DecisionBook, PROBE_PRINCIPAL } from './decisions/book.ts';
import type { Statement } from './decisions/decision.ts';
import type { Teller } from './story/teller.ts';

/**
 * The job once, for real: a decision with words nobody could know before goes to the store, and its story is told from there. The story must
 * have every word, lead back to the decision, and say of the evidence that does not exist that it is not established.
 */
export function createProbe(book: DecisionBook, teller: Teller, nowMs: () => number) {
  let number = 0;
  return async (): Promise<Record<string, unknown>> => {
    const mark = `${nowMs()}-${++number}`;
    const absent = Number.MAX_SAFE_INTEGER;
    const statement: Statement = {
      what: `what ${mark}`,
      who: 'probe',
      whenMs: null,
      where: 'clarity_framework',
      why: `why ${mark}`,
      how: `how ${mark}`,
      alternatives: [{ what: `other ${mark}`, whyNot: `not ${mark}` }],
      evidence: { records: [absent], incidents: [], audit: [], decisions: [] },
      confidence: 0.5,
      correlation: null,
    };
    const { id } = book.record(statement, PROBE_PRINCIPAL, nowMs());
    try {
      const story = await teller.decision(id);
      const text = story.decided.map((sentence) => sentence.text).join('\n');
      for (const word of [statement.what, statement.why!, statement.how!, `not ${mark}`, 'confidence 50 %']) {
        if (!text.includes(word)) fail(`the story of a decision does not say "${word}"`);
      }
      if (!story.decided.every(({ links }) => links.some((link) => 'decision' in link && link.decision === id)))
        fail('the story of a decision does not lead back to it');
      if (story.first.some(({ established }) => established) || story.notEstablished.length === 0)
        fail('evidence that does not exist was called established');
      return {
        sentences: story.decided.length,
        notEstablished: story.notEstablished.length,
        decisions: book.counts().kept - 1,
      };
    } finally {
      book.forget(id);
    }
  };
}

function fail(what: string): never {
  throw new GraceError('INTERNAL', `clarity_framework does not do its job: ${what}`);
}
