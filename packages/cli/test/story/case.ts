import assert from 'node:assert/strict';
import type { Sentence, Story } from '../../src/explain/story.ts';
import { WORKER, type WrittenJournal } from '../written-journal.ts';

export const texts = (sentences: readonly Sentence[]): string[] => sentences.map(({ text }) => text);
export const has = (sentences: readonly Sentence[], pattern: RegExp): Sentence => {
  const found = sentences.find(({ text }) => pattern.test(text));
  assert.ok(found, `${pattern} in ${JSON.stringify(texts(sentences), null, 1)}`);
  return found;
};
export const hasNot = (sentences: readonly Sentence[], pattern: RegExp): void =>
  assert.deepEqual(
    texts(sentences).filter((text) => pattern.test(text)),
    [],
  );

export interface Case {
  name: string;
  write(journal: WrittenJournal): void;
  check(story: Story): void;
}

export const SPINNING = { heartbeatAgeMs: 600, elu: 1, missed: { forMs: 400, cpuMs: 390, runDelayMs: 3 } };
export const hang = (
  journal: WrittenJournal,
  evidence: Record<string, unknown> = SPINNING,
  correlation?: string,
): void => {
  const about = { ...WORKER, ...(correlation === undefined ? {} : { correlation }) };
  journal.at(5000, 'kernel:condition', { from: 'healthy', to: 'spinning', confidence: 0.8, evidence }, about);
  journal.open(5000, { id: 'x', kind: 'kernel_hung', subject: 'worker', cell: 'user' }, about);
  journal.at(5000, 'detector:fire', { method: 'heartbeat', incident: 'x', subject: 'worker', evidence }, about);
};
