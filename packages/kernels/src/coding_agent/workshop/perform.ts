import { GraceError, toWireError } from '@grace/contracts';
import type { Proof, ProofTask, Proposed, RepairTask } from '../change/candidate.ts';
import { type Examined, type ExamineTask, examineFiles, proposeInFile, proveInFile } from '../languages/examine.ts';
import { kindOf, type Walked, type WalkTask, walk } from '../tree/walk.ts';
import type { Checked, CheckTask } from '../typescript/check.ts';
import type { Answer } from './work.ts';

export const list = (task: WalkTask) => answer<Walked>(() => walk(task));
export const examine = (task: ExamineTask) => answer<Examined[]>(() => examineFiles(task));
export const check = (task: CheckTask) =>
  answer<Checked[]>(async () => (await import('../typescript/check.ts')).checkTree(task));

export const propose = (task: RepairTask) =>
  answer<Proposed>(async () => {
    const kind = kindOfFile(task.file);
    if (kind !== 'typescript') return await proposeInFile(task, kind);
    return (await import('../typescript/repair.ts')).proposeInTree(task);
  });

export const prove = (task: ProofTask) =>
  answer<Proof>(async () => {
    const kind = kindOfFile(task.file);
    if (kind !== 'typescript') return await proveInFile(task, kind);
    return (await import('../typescript/repair.ts')).proveInTree(task);
  });

function kindOfFile(file: string) {
  const kind = kindOf(file);
  if (kind === undefined) throw new GraceError('UNSUPPORTED_TYPE', `${file} is of no language that is read`);
  return kind;
}

async function answer<T>(work: () => T | Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: toWireError(error) };
  }
}
