import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Live } from '../intents/live.ts';
import type { Answer, Understanding } from '../intents/understand.ts';
import type { Transcriber } from '../speech/transcriber.ts';
import type { Session, Turn } from './turn.ts';
import type { SpokenTurn, TurnBook, TurnEnd, TypedTurn } from './turn-book.ts';

export const NO_STT = 'No speech-to-text is configured, so what was said is not understood. Typed turns are.';

export interface ConversationParts {
  ctx: KernelContext;
  turns: TurnBook;
  understanding: Understanding;
  transcriber: Transcriber | null;
  live: Pick<Live, 'kernels' | 'ask' | 'nowMs'>;
  /** Turns of one session that are under way or wait. */
  waitingMax: number;
  /** Told of every turn when it is accepted and when it has ended. */
  onTurn(turn: Turn): void;
}

/** Turns in their order: of one session one after the other, of several side by side. */
export class Conversation {
  readonly #parts: ConversationParts;
  readonly #queues = new Map<string, { last: Promise<unknown>; length: number }>();

  constructor(parts: ConversationParts) {
    this.#parts = parts;
  }

  get waiting(): number {
    let sum = 0;
    for (const { length } of this.#queues.values()) sum += length;
    return sum;
  }

  /**
   * Accepts a turn: when this returns it is on disk. `ended` resolves when it has its answer; a turn never ends with an error.
   * @throws GraceError `VOICE_FULL`, `CONFLICT`, `STORAGE_FULL`, `STORAGE_FAILED`
   */
  take(session: Session, given: TypedTurn | SpokenTurn): { turn: Turn; ended: Promise<Turn> } {
    const { turns, waitingMax, onTurn } = this.#parts;
    const queue = this.#queues.get(session.id);
    if (queue && queue.length >= waitingMax)
      throw new GraceError('VOICE_FULL', `${waitingMax} turns of this session wait already`, { session: session.id });
    const { turn, repeated } = turns.accept(session.id, given);
    // Ended, or on its way from its first acceptance: what is behind it in the queue is behind that.
    if (repeated) return { turn, ended: this.#after(session.id, () => turns.get(session.id, turn.turn)) };
    onTurn(turn);
    return { turn, ended: this.#after(session.id, () => this.#finish(session.language, turn)) };
  }

  /** Ends what a life before has accepted. */
  resume(languageOf: (session: string) => string): number {
    const left = this.#parts.turns.unfinished();
    for (const turn of left)
      this.#after(turn.session, () => this.#finish(languageOf(turn.session), turn)).catch((error: unknown) =>
        this.#parts.ctx.log.warn('a turn of the life before has not ended', { error: String(error) }),
      );
    return left.length;
  }

  /** Resolves when nothing is under way, or at the deadline. */
  async finish(deadlineMs: number): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, deadlineMs);
    await Promise.race([Promise.allSettled([...this.#queues.values()].map(({ last }) => last)), late.promise]);
    clearTimeout(timer);
  }

  #after<T>(session: string, work: () => Promise<T> | T): Promise<T> {
    const queue = this.#queues.get(session) ?? { last: Promise.resolve(), length: 0 };
    this.#queues.set(session, queue);
    queue.length++;
    const done = queue.last.then(work).finally(() => {
      if (--queue.length === 0) this.#queues.delete(session);
    });
    queue.last = done.catch(() => {});
    return done;
  }

  async #finish(language: string, turn: Turn): Promise<Turn> {
    const { ctx, turns, onTurn } = this.#parts;
    // What the end of this kernel cut short is not an answer: the next life gives one.
    const end = turn.kind === 'typed' ? await this.#typed(turn, turn.text!) : await this.#spoken(language, turn);
    if (ctx.signal.aborted) throw new GraceError('KERNEL_NOT_RUNNING', 'voice_conversation is draining');
    const ended = turns.end(turn.session, turn.turn, end);
    onTurn(ended);
    return ended;
  }

  async #typed(turn: Turn, text: string): Promise<TurnEnd> {
    const answer = await this.#answer(turn, text);
    return { state: 'answered', ...answer };
  }

  async #spoken(language: string, turn: Turn): Promise<TurnEnd> {
    const { transcriber, turns, ctx } = this.#parts;
    const wav = turns.audio(turn.session, turn.turn);
    if (!transcriber || !wav) return { state: 'unheard', answer: NO_STT };
    const { session, startMs, endMs } = turn;
    const heard = { session, turn: turn.turn, wav, audioMs: endMs! - startMs!, language };
    try {
      const text = await transcriber.transcribe(heard);
      if (text === '') return { state: 'unheard', text: '', answer: 'No words were heard.' };
      return { state: 'answered', text, ...(await this.#answer(turn, text)) };
    } catch (error) {
      const { code, message } = error instanceof GraceError ? error : { code: 'INTERNAL', message: String(error) };
      if (!ctx.signal.aborted) ctx.log.warn('an utterance was not transcribed', { session, code, error: message });
      return {
        state: 'failed',
        answer: `What was said could not be transcribed: ${code}.`,
        error: `${code}: ${message}`,
      };
    }
  }

  async #answer(turn: Turn, text: string): Promise<Pick<Answer, 'intent' | 'answer' | 'suggestion' | 'calls'>> {
    const { turns, understanding, live } = this.#parts;
    const before = turns.before(turn.session, turn.turn);
    return await understanding.answer(text, {
      ...live,
      before: before && { answer: before.answer ?? '', suggestion: before.suggestion },
      isSpoken: turn.kind === 'spoken',
    });
  }
}
