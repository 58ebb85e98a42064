/**
 * @module
 * Runs in the threads of the pool; its twin in the kernel's thread is workshop.ts. Each export is one kind of work. An error that crosses
 * threads keeps only its message, so a refusal travels as a value.
 */
import { toWireError, type WireError } from '@grace/contracts';
import { type Preparation, type Prepared, prepare as prepareDocument } from './prepare.ts';
import { summarise as summariseText } from './summary/summary.ts';

export type Answer<T> = { value: T } | { refused: WireError };

const answer = async <T>(work: () => Promise<T> | T): Promise<Answer<T>> => {
  try {
    return { value: await work() };
  } catch (error) {
    return { refused: toWireError(error) };
  }
};

export const prepare = (task: Preparation): Promise<Answer<Prepared>> => answer(() => prepareDocument(task));

export const summarise = (task: { text: string; sentences: number }): Promise<Answer<string[]>> =>
  answer(() => summariseText(task.text, task.sentences));
