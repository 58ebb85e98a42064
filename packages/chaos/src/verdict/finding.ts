/** One thing a trial promised. `ok` null = it could not be found out, and unknown is not true. */
export interface Finding {
  ok: boolean | null;
  text: string;
  /** Rests on measurements of the runner, which mean nothing when the runner itself was starved. */
  byRunner: boolean;
}
