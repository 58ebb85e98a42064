import type { Deed } from './deed.ts';

/** A firing that is to be carried out: on record before anything is done, so it says all there is to do. */
export interface Intention {
  /** In the journal; 0 = of a probe, which keeps nothing. */
  seq: number;
  /** Names this firing for ever: the ids of its messages begin with it, also when it is carried out again. */
  firing: string;
  rule: string;
  deeds: Deed[];
  /** Of each action. */
  deadlineMs: number;
  /** Carried by its messages; `isOwn`: the mesh made it up, so it tells how deep they stand. */
  correlation: string;
  isOwn: boolean;
  event: { id: string; subject: string; from: string; depth: number };
  key: string;
  count: number;
  /** A process before this one had begun it, and nobody knows how far it came. */
  isRepeat: boolean;
}

/** The id of the message of each action. */
export function messageId({ firing }: Pick<Intention, 'firing'>, action: number): string {
  return `${firing}.${action}`;
}
