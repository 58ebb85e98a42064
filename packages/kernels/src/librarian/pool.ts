/**
 * @module
 * Runs in the threads of the pool; its twin in the kernel's thread is workshop.ts. Each export is one kind of work.
 */
import { type Preparation, type Prepared, prepare as prepareDocument } from './prepare.ts';
import { summarise as summariseText } from './summary/summary.ts';

export const prepare = (task: Preparation): Promise<Prepared> => prepareDocument(task);

export const summarise = (task: { text: string; sentences: number }): string[] =>
  summariseText(task.text, task.sentences);
