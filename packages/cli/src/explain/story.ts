import type { EvidenceKind, Incident } from '@grace/contracts';

/** One statement and the journal records it rests on. */
export interface Sentence {
  /** ms since the incident was opened; negative before. Null: it is about the whole time. */
  atMs: number | null;
  text: string;
  /** Sequence numbers of journal records; none where the statement is that there is no record. */
  events: number[];
}

/** Another kernel that was touched at the same time. */
export interface Touched {
  kernel: string;
  /** ms since the incident was opened. */
  fromMs: number;
  /** How long it did not serve, or was not well; null: not over by the end of the record. */
  forMs: number | null;
  text: string;
  /** The record ties it to this incident: the same host process, or the same correlation. Otherwise only the time is the same. */
  linked: boolean;
  events: number[];
}

export interface EvidenceFile {
  kind: EvidenceKind;
  /** Relative to the home. */
  file: string;
  bytes: number;
  /** Its most telling lines. */
  top: string[];
  event: number;
}

/** What happened, as far as the journal establishes it. A fold: the same records give the same story. */
export interface Story {
  incident: Pick<Incident, 'id' | 'kind' | 'subject' | 'title' | 'severity' | 'openedWall' | 'escalated'> & {
    cell: string | null;
    correlation: string | null;
  };
  /** `cut off`: the system stopped or was started anew, or the machine was, before it was closed. */
  state: 'open' | 'closed' | 'cut off';
  /** From opening to closing, ms; null while it is open or was cut off. */
  lastedMs: number | null;
  seen: Sentence[];
  judged: Sentence[];
  ruledOut: Sentence[];
  tried: Sentence[];
  others: Touched[];
  /** Other incidents of the same subject or fault while this one lasted. */
  related: Sentence[];
  ending: Sentence[];
  cause: { established: Sentence[]; notEstablished: Sentence[] };
  evidence: EvidenceFile[];
}
