import { type GraceError, toWireError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { WebSocket } from 'ws';
import { AUDIO, BYTES_PER_MS, bytesOf } from '../audio/pcm.ts';
import type { Desk } from '../sessions/desk.ts';
import type { Session, Turn } from '../sessions/turn.ts';
import type { Settings } from '../settings.ts';
import type { Synthesiser } from '../speech/synthesiser.ts';
import {
  acceptedOf,
  answerOf,
  CLOSE,
  closeReason,
  errorOf,
  type FromClient,
  readMessage,
  type ToClient,
} from './messages.ts';

export interface ConnectionParts {
  ctx: KernelContext;
  settings: Settings;
  desk: Desk;
  synthesiser: Synthesiser | null;
  /** Whether the session is still open, read anew. */
  current(): Session | null;
}

const SPEECH_FRAME_BYTES = 32 * 1024;
/** Turns that wait to be spoken; the latest are the ones somebody waits for. */
const SPEECHES_MAX = 2;
const SPOKEN_CHARACTERS = 600;
const REPLAYED = 200;

/** One WebSocket of one session, from its upgrade to its close. */
export class Connection {
  readonly session: string;
  readonly #socket: WebSocket;
  readonly #parts: ConnectionParts;
  readonly #hello: NodeJS.Timeout;
  #isReady = false;
  #speaks = false;
  #isAlive = true;
  #speeches: Turn[] = [];
  #isSpeaking = false;

  constructor(socket: WebSocket, session: string, parts: ConnectionParts) {
    this.session = session;
    this.#socket = socket;
    this.#parts = parts;
    const { helloMs } = parts.settings.times;
    this.#hello = setTimeout(() => this.close(CLOSE.noHello, `no hello within ${helloMs} ms`), helloMs);
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on('pong', () => {
      this.#isAlive = true;
    });
    // A flood of pings is answered with pongs; who does not read them is cut off like any other.
    socket.on('ping', () => this.#watch());
    // A malformed frame: the library closes with its code (1002, 1007, 1009). There is nothing to add but that it is not a crash.
    socket.on('error', (error) => parts.ctx.log.debug('a socket failed', { session, error: error.message }));
    socket.on('close', () => clearTimeout(this.#hello));
  }

  /** Tells of a turn of this session. */
  tell(turn: Turn): void {
    if (!this.#isReady) return;
    if (turn.state === 'accepted') this.#send(acceptedOf(turn));
    else {
      this.#send(answerOf(turn));
      if (this.#speaks && this.#parts.synthesiser && turn.answer) this.#speak(turn);
    }
  }

  /** Asks for a sign of life; ends the connection when there was none since the last time. */
  ping(): void {
    if (!this.#isAlive) {
      this.#socket.terminate();
      return;
    }
    this.#isAlive = false;
    this.#socket.ping();
  }

  /** Says why, and ends it if the other side does not. */
  close(code: number, reason: string): void {
    clearTimeout(this.#hello);
    if (this.#socket.readyState >= this.#socket.CLOSING) return;
    this.#socket.close(code, closeReason(reason));
    const { drainMs } = this.#parts.settings.times;
    const timer = setTimeout(() => this.#socket.terminate(), drainMs);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    try {
      if (isBinary) this.#hear(data, false);
      else this.#obey(readMessage(data.toString('utf8')));
    } catch (error) {
      const { code, message } = toWireError(error);
      this.close(code === 'VOICE_FULL' ? CLOSE.tooMuch : CLOSE.malformed, `${code}: ${message}`);
    }
  }

  #obey(message: FromClient): void {
    if (message.type === 'hello') {
      this.#begin(message);
      return;
    }
    const session = this.#live();
    switch (message.type) {
      case 'say':
        try {
          const { turn, ended } = this.#parts.desk.say(session, message.text, message.id);
          // A turn said again is told again; a new one was told of when it was accepted.
          if (turn.state !== 'accepted') this.tell(turn);
          ended.catch((error: GraceError) => this.#parts.ctx.log.debug('a turn has not ended', { code: error.code }));
        } catch (error) {
          this.#send(errorOf(toWireError(error), message.id));
        }
        return;
      case 'end':
        this.#hear(Buffer.alloc(0), true);
        return;
      case 'transcript': {
        const { turns, more } = this.#parts.desk.transcript(session.id, message.from, message.limit);
        this.#send({ type: 'transcript', turns: turns.map(answerOf), more });
        return;
      }
      case 'close':
        this.#parts.desk.close(session.id, 'its client closed it');
        return;
      default:
        message satisfies never;
    }
  }

  #begin({ from, speak }: Extract<FromClient, { type: 'hello' }>): void {
    const session = this.#parts.current();
    if (!session) {
      this.close(CLOSE.closed, 'the session is closed');
      return;
    }
    clearTimeout(this.#hello);
    this.#isReady = true;
    this.#speaks = speak;
    const { desk, settings, synthesiser } = this.#parts;
    const { frameBytes, aheadMs } = settings.limits;
    this.#send({
      type: 'ready',
      session: session.id,
      mode: session.mode,
      language: session.language,
      last: desk.lastTurn(session.id),
      audio: AUDIO,
      audioMs: desk.position(session).takenMs,
      stt: settings.stt !== null,
      tts: synthesiser !== null,
      limits: { frameBytes, aheadMs },
    });
    if (from === null) return;
    for (const turn of desk.transcript(session.id, from + 1, REPLAYED).turns)
      this.#send(turn.state === 'accepted' ? acceptedOf(turn) : answerOf(turn));
  }

  #hear(bytes: Buffer, isLast: boolean): void {
    const { taken, refused } = this.#parts.desk.hear(this.#live(), bytes, isLast);
    for (const { ended } of taken)
      ended.catch((error: GraceError) => this.#parts.ctx.log.debug('a turn has not ended', { code: error.code }));
    for (const { code, message, startMs, endMs } of refused)
      this.#send(errorOf({ code: code as never, message: `utterance ${startMs}-${endMs} ms: ${message}` }, null));
  }

  /** @throws GraceError when there was no hello; the session may also have been closed by a verb meanwhile */
  #live(): Session {
    const session = this.#parts.current();
    if (!this.#isReady) throw new Error('expected hello first');
    if (!session) throw new Error('the session is closed');
    return session;
  }

  #send(message: ToClient): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(JSON.stringify(message));
    this.#watch();
  }

  /** Who does not read is cut off before what it leaves unread grows large. Its turns are on disk. */
  #watch(): void {
    if (this.#socket.bufferedAmount <= this.#parts.settings.limits.unreadBytes) return;
    this.#parts.ctx.log.info('a reader was too slow', { session: this.session, bytes: this.#socket.bufferedAmount });
    this.#socket.terminate();
  }

  #speak(turn: Turn): void {
    this.#speeches.push(turn);
    if (this.#speeches.length > SPEECHES_MAX) this.#speeches.shift();
    if (this.#isSpeaking) return;
    this.#isSpeaking = true;
    void this.#speakAll();
  }

  async #speakAll(): Promise<void> {
    for (let turn = this.#speeches.shift(); turn; turn = this.#speeches.shift()) {
      let error: string | null = null;
      try {
        await this.#sound(turn);
      } catch (thrown) {
        const wire = toWireError(thrown);
        error = `${wire.code}: ${wire.message}`;
      }
      this.#send({ type: 'speech-end', turn: turn.turn, error });
    }
    this.#isSpeaking = false;
  }

  async #sound(turn: Turn): Promise<void> {
    const { synthesiser, current } = this.#parts;
    const text = turn.answer!.slice(0, SPOKEN_CHARACTERS).toWellFormed();
    const language = current()?.language ?? 'en';
    const bytes = bytesOf(await synthesiser!.speak({ session: turn.session, turn: turn.turn, text, language }));
    this.#send({
      type: 'speech',
      turn: turn.turn,
      audio: AUDIO,
      bytes: bytes.length,
      ms: Math.round(bytes.length / BYTES_PER_MS),
    });
    for (let at = 0; at < bytes.length; at += SPEECH_FRAME_BYTES)
      await this.#frame(bytes.subarray(at, at + SPEECH_FRAME_BYTES));
  }

  /** Resolves when the operating system has taken it: so a slow reader slows its own speech alone, and is cut off when it stalls. */
  async #frame(bytes: Buffer): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#socket.terminate();
      reject(new Error('the reader took nothing'));
    }, this.#parts.settings.times.stallMs);
    this.#socket.send(bytes, (error) => (error ? reject(error) : resolve()));
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}
