import type { CallMade } from '../intents/live.ts';

/**
 * accepted   on disk and promised; it will end, also when the kernel dies in between
 * answered   understood or not, there is an answer
 * unheard    an utterance without words: there is no speech-to-text, or it said there were none
 * failed     it could not be transcribed; `error` says why
 */
export type TurnState = 'accepted' | 'answered' | 'unheard' | 'failed';

export interface Turn {
  session: string;
  /** Counted from 1 in each session. */
  turn: number;
  /** What the client calls it: the same again is the same turn. */
  key: string | null;
  kind: 'typed' | 'spoken';
  state: TurnState;
  atMs: number;
  /** Of an utterance, in ms of the session's audio. */
  startMs: number | null;
  endMs: number | null;
  cut: string | null;
  audioSha256: string | null;
  text: string | null;
  intent: string | null;
  answer: string | null;
  suggestion: string | null;
  calls: CallMade[];
  /** From accepted to ended. */
  ms: number | null;
  error: string | null;
}

export interface Session {
  id: string;
  /** The principal that opened it. */
  owner: string;
  mode: 'typed' | 'spoken';
  language: string;
  /** Whether a WebSocket may come for it: 1 or 0. */
  socket: number;
  openedMs: number;
  usedMs: number;
  closedMs: number | null;
  closedWhy: string | null;
  /** Audio that was heard before; times of utterances count on from here. */
  audioMs: number;
}
