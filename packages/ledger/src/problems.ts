/** What can be wrong with a ledger, each told apart. The sentence is for whoever has to decide what to do. */
export const PROBLEMS = {
  checksum: 'bytes are not those that were written: the disk, or somebody, changed them',
  hash: 'the content of a record was changed and its checksum made to fit',
  link: 'a record or segment does not name the hash of the one before it: something was put in place of the original',
  gap: 'records were taken out of a segment',
  order: 'records stand in another order than they were written in',
  duplicate: 'records stand there twice',
  header: 'the first bytes of a segment, which say what it is, are damaged',
  segment: 'a file that is no segment of this ledger lies there as one',
  'missing-segment': 'a whole segment file is gone',
  'segment-order': 'segment files were exchanged or renamed',
  'duplicate-segment': 'a segment file is a copy of another one',
  'torn-tail': 'the newest segment ends in a write that never finished; the next writer cuts it off and records that',
  'cut-end': 'records were taken away at the end: the folder itself knows of more',
  'rolled-back': 'the whole folder is an older copy of itself: what was noted outside it knows of more records',
  rewritten: 'the records fit together, but they are not those that were noted elsewhere: history was written anew',
  seal: 'the evidence of a sealed epoch, or its seal, is not as it was sealed',
} as const satisfies Record<string, string>;

export type ProblemKind = keyof typeof PROBLEMS;

export interface LedgerProblem {
  kind: ProblemKind;
  segment: string;
  /** Byte of the segment file. */
  offset: number;
  /** The record, or the first of several. */
  seq?: number;
  message: string;
}
