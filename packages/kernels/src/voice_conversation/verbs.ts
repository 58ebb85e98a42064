import { GraceError, type VerbMeta } from '@grace/contracts';
import { is, type KernelContext, readInput, type Verb } from '@grace/kernel-sdk';
import { AUDIO } from './audio/pcm.ts';
import type { Understanding } from './intents/understand.ts';
import type { Desk } from './sessions/desk.ts';
import type { SessionBook } from './sessions/session-book.ts';
import type { Session, Turn } from './sessions/turn.ts';
import type { Settings } from './settings.ts';
import type { Doorway } from './socket/doorway.ts';
import type { ExchangeBook } from './speech/exchange-book.ts';
import type { Synthesiser } from './speech/synthesiser.ts';

export interface VerbParts {
  ctx: KernelContext;
  settings: Settings;
  sessions: SessionBook;
  desk: Desk;
  doorway: Doorway;
  understanding: Understanding;
  book: ExchangeBook;
  synthesiser: Synthesiser | null;
  status(): Record<string, unknown>;
}

/** A message of the bus has at most 1 MB; this is 15 s of audio. */
const PCM_CHARS = 640_000;
/** Left of the caller's deadline for the way back. */
const SPARE_MS = 200;
const EXCHANGES_SHOWN = 50;

const id = is.string({ max: 64, what: 'the id of a session' });

export function createVerbs(parts: VerbParts): Record<string, Verb> {
  const { settings, sessions, desk, doorway, understanding, book, synthesiser, status } = parts;
  const own = (session: Session, { from }: VerbMeta): Session => {
    if (session.owner === from || settings.operators.includes(from)) return session;
    throw new GraceError('FORBIDDEN', `the session ${session.id} was opened by ${session.owner}, not by ${from}`);
  };

  return {
    async open(input: unknown, { from }: VerbMeta) {
      const { mode, language, socket } = readInput(input, {
        mode: is.oneOf(['typed', 'spoken']),
        language: is.optional(
          is.string({ max: 20, pattern: /^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$/, what: 'a language such as en or de-AT' }),
        ),
        socket: is.optional(is.boolean()),
      });
      const hasSocket = socket ?? mode === 'spoken';
      // First, so that nobody gets a token for a door that cannot be opened.
      const url = hasSocket ? await doorway.open() : null;
      const opened = sessions.open({ owner: from, mode, language: language ?? 'en', socket: hasSocket ? 1 : 0 });
      return {
        session: opened.session.id,
        mode,
        language: opened.session.language,
        ...(url === null ? {} : { url, token: opened.token }),
        stt: settings.stt !== null,
        tts: synthesiser !== null,
        audio: AUDIO,
      };
    },
    async say(input: unknown, meta: VerbMeta) {
      const given = readInput(input, {
        session: id,
        text: is.string({ max: 2000 }),
        key: is.optional(is.string({ max: 64, pattern: /^[\x21-\x7e]+$/, what: 'a key without blanks' })),
      });
      const session = own(sessions.getOpen(given.session), meta);
      const { turn, ended } = desk.say(session, given.text, given.key ?? null);
      const { state, intent, answer, calls, ms } = await endedBy(ended, turn, meta);
      return { turn: turn.turn, state, intent, answer, calls, ms };
    },
    async hear(input: unknown, meta: VerbMeta) {
      const given = readInput(input, {
        session: id,
        pcm16: is.string({ min: 0, max: PCM_CHARS, pattern: /^[A-Za-z0-9+/]*={0,2}$/, what: 'samples in base64' }),
        final: is.optional(is.boolean()),
      });
      const session = own(sessions.getOpen(given.session), meta);
      const { taken, refused } = desk.hear(session, Buffer.from(given.pcm16, 'base64'), given.final ?? false);
      const turns = await Promise.all(taken.map(({ turn, ended }) => endedBy(ended, turn, meta)));
      return {
        ...desk.position(session),
        stt: settings.stt !== null,
        utterances: turns.map(({ turn, state, startMs, endMs, cut, text, intent, answer, error }) => ({
          turn,
          state,
          startMs,
          endMs,
          cut,
          text,
          intent,
          answer,
          error,
        })),
        refused,
      };
    },
    transcript(input: unknown, meta: VerbMeta) {
      const given = readInput(input, {
        session: id,
        from: is.optional(is.number({ min: 1, max: 1e9, integer: true })),
        limit: is.optional(is.number({ min: 1, max: 200, integer: true })),
        exchanges: is.optional(is.boolean()),
      });
      const { id: one, ...session } = own(sessions.get(given.session), meta);
      const { turns, more } = desk.transcript(one, given.from ?? 1, given.limit ?? 50);
      return {
        session: { id: one, ...session, socket: session.socket === 1 },
        turns,
        more,
        ...(given.exchanges === true ? { exchanges: book.list(one, EXCHANGES_SHOWN) } : {}),
      };
    },
    close(input: unknown, meta: VerbMeta) {
      const { session } = readInput(input, { session: id });
      const { id: one } = own(sessions.get(session), meta);
      return { session: one, closed: desk.close(one, `closed by ${meta.from}`) };
    },
    intents(input: unknown) {
      const { text } = readInput(input, { text: is.optional(is.string({ max: 2000 })) });
      if (text !== undefined) {
        const found = understanding.read(text);
        return { text: text.slice(0, 200), intent: found?.intent.id ?? null, slots: found?.slots ?? {} };
      }
      return understanding.intents.map(({ id: name, title, phrases, reads, example }) => ({
        id: name,
        title,
        example,
        phrases,
        reads,
      }));
    },
    status(input: unknown) {
      readInput(input, {});
      return status();
    },
  };
}

/** The turn as it ended, or as it stands when the caller's time is over; it ends all the same. */
async function endedBy(ended: Promise<Turn>, turn: Turn, { deadlineMs }: VerbMeta): Promise<Turn> {
  const late = Promise.withResolvers<Turn>();
  const timer = setTimeout(() => late.resolve(turn), Math.max(1, deadlineMs - SPARE_MS));
  try {
    return await Promise.race([ended, late.promise]);
  } finally {
    clearTimeout(timer);
    ended.catch(() => {});
  }
}
