import { GraceError, toWireError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Utterance } from '../cut/cutter.ts';
import type { Settings } from '../settings.ts';
import type { Conversation } from './conversation.ts';
import { Ears, spokenTurn } from './ears.ts';
import type { SessionBook } from './session-book.ts';
import type { Session, Turn } from './turn.ts';
import type { TurnBook } from './turn-book.ts';

export interface Taken {
  turn: Turn;
  ended: Promise<Turn>;
}

/** Utterances of one piece of audio: those on disk, and those there was no room for. */
export interface Cuts {
  taken: Taken[];
  refused: { startMs: number; endMs: number; code: string; message: string }[];
}

/** How often sessions that nobody uses are looked for. */
const SWEEP_MS = 30_000;
const TEXT_MAX = 2000;

/** Open sessions and what they take in, for verbs and sockets alike. */
export class Desk {
  readonly #ctx: KernelContext;
  readonly #settings: Settings;
  readonly #sessions: SessionBook;
  readonly #turns: TurnBook;
  readonly #conversation: Conversation;
  readonly #ears = new Map<string, Ears>();
  /** Told when a session was closed, with the reason. */
  onClosed: (session: string, why: string) => void = () => {};
  utterances = 0;

  constructor(
    ctx: KernelContext,
    settings: Settings,
    books: { sessions: SessionBook; turns: TurnBook },
    conversation: Conversation,
  ) {
    this.#ctx = ctx;
    this.#settings = settings;
    this.#sessions = books.sessions;
    this.#turns = books.turns;
    this.#conversation = conversation;
    ctx.every(Math.min(SWEEP_MS, settings.times.idleMs), () => this.sweep());
  }

  /** @throws GraceError `BAD_INPUT` for a text without anything to read; what `Conversation.take` throws */
  say(session: Session, given: string, key: string | null): Taken {
    const text = given
      .toWellFormed()
      .replaceAll(/\p{Cc}+/gu, ' ')
      .trim();
    if (text === '' || text.length > TEXT_MAX)
      throw new GraceError('BAD_INPUT', `text: expected 1 to ${TEXT_MAX} characters that can be read`);
    this.#sessions.used(session.id);
    return this.#conversation.take(session, { kind: 'typed', key, text });
  }

  /**
   * Audio of a session, in pieces of any size; the utterances that are whole now.
   * @throws GraceError `CONFLICT` for a typed session, `BAD_INPUT` for half a sample, `VOICE_FULL` for more than may come
   */
  hear(session: Session, bytes: Uint8Array, isLast: boolean): Cuts {
    if (session.mode !== 'spoken')
      throw new GraceError('CONFLICT', `the session ${session.id} was opened as ${session.mode}: it hears nothing`);
    if (bytes.byteLength % 2 !== 0)
      throw new GraceError('BAD_INPUT', `audio: expected samples of 2 bytes, got ${bytes.byteLength} bytes`);
    const ears = this.#earsOf(session);
    const cut = ears.hear(bytes);
    if (isLast) cut.push(...ears.end());
    const cuts: Cuts = { taken: [], refused: [] };
    for (const utterance of cut) this.#heard(session, ears, utterance, cuts);
    return cuts;
  }

  position(session: Session): { takenMs: number; speaking: boolean } {
    const ears = this.#ears.get(session.id);
    return { takenMs: ears?.takenMs ?? session.audioMs, speaking: ears?.isSpeaking ?? false };
  }

  /** False: it was closed before. */
  close(id: string, why: string): boolean {
    const closed = this.#sessions.close(id, why);
    this.#ears.delete(id);
    if (closed) this.onClosed(id, why);
    return closed;
  }

  sweep(): void {
    for (const id of this.#sessions.idleSince(this.#ctx.clock.wallMs() - this.#settings.times.idleMs))
      this.close(id, `nobody used it for ${this.#settings.times.idleMs} ms`);
    this.#sessions.prune(this.#settings.limits.closedKept);
  }

  /** Where each session's audio stands, so that times go on from there. */
  keepPositions(): void {
    for (const [id, ears] of this.#ears) this.#sessions.heard(id, ears.takenMs);
  }

  #heard(session: Session, ears: Ears, utterance: Utterance, cuts: Cuts): void {
    this.utterances++;
    const { startMs, endMs } = utterance;
    try {
      this.#sessions.heard(session.id, ears.takenMs);
      cuts.taken.push(this.#conversation.take(session, spokenTurn(utterance, this.#settings.stt !== null)));
    } catch (error) {
      const { code, message } = toWireError(error);
      cuts.refused.push({ startMs, endMs, code, message });
    }
  }

  #earsOf(session: Session): Ears {
    const known = this.#ears.get(session.id);
    if (known) return known;
    const { cut, limits } = this.#settings;
    const ears = new Ears(cut, limits.aheadMs, session.audioMs, () => this.#ctx.clock.monoMs());
    this.#ears.set(session.id, ears);
    return ears;
  }

  lastTurn(id: string): number {
    return this.#turns.last(id);
  }

  /** The turns of a session from one on. */
  transcript(id: string, from: number, limit: number): { turns: Turn[]; more: boolean } {
    const found = this.#turns.list(id, from, limit + 1);
    return { turns: found.slice(0, limit), more: found.length > limit };
  }
}
