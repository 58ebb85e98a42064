import { GraceError, type WireError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';
import { AUDIO } from '../audio/pcm.ts';
import type { Turn } from '../sessions/turn.ts';

/** The subprotocol; a client names it beside `grace.token.<token>`. */
export const PROTOCOL = 'grace.voice.1';
export const TOKEN_PREFIX = 'grace.token.';

/** Why the server closes. Below 4000: RFC 6455. */
export const CLOSE = {
  restarting: 1001,
  malformed: 4400,
  noHello: 4408,
  elsewhere: 4409,
  closed: 4410,
  tooMuch: 4429,
  slow: 4431,
} as const;

/** From the client, as text frames. Binary frames are audio. */
export type FromClient =
  /** First. `from`: the last turn the client has; what came after it is sent again. */
  | { type: 'hello'; from: number | null; speak: boolean }
  /** A typed turn; `id` is the client's name for it, the same again is the same turn. */
  | { type: 'say'; id: string | null; text: string }
  /** No more audio for now: an open utterance is cut. */
  | { type: 'end' }
  | { type: 'transcript'; from: number; limit: number }
  /** The session is over, for good. */
  | { type: 'close' };

/** To the client, as text frames. After `speech` come binary frames of audio until `speech-end`. */
export type ToClient =
  | {
      type: 'ready';
      session: string;
      mode: string;
      language: string;
      last: number;
      audio: typeof AUDIO;
      audioMs: number;
      stt: boolean;
      tts: boolean;
      limits: { frameBytes: number; aheadMs: number };
    }
  | { type: 'accepted'; turn: number; id: string | null; kind: string; startMs?: number; endMs?: number; cut?: string }
  | {
      type: 'answer';
      turn: number;
      id: string | null;
      kind: string;
      state: string;
      text: string | null;
      intent: string | null;
      answer: string | null;
      calls: Turn['calls'];
      ms: number | null;
      error: string | null;
    }
  | { type: 'transcript'; turns: Extract<ToClient, { type: 'answer' }>[]; more: boolean }
  | { type: 'speech'; turn: number; audio: typeof AUDIO; bytes: number; ms: number }
  | { type: 'speech-end'; turn: number; error: string | null }
  | { type: 'error'; code: string; message: string; id: string | null };

const TYPES = ['hello', 'say', 'end', 'transcript', 'close'] as const;
const whole = (max: number) => is.optional(is.number({ min: 0, max, integer: true }));
const key = is.string({ max: 64, pattern: /^[\x21-\x7e]+$/, what: 'an id without blanks' });

/** @throws GraceError `BAD_INPUT` for anything that is not a message of this protocol */
export function readMessage(data: string): FromClient {
  let parsed: unknown;
  try {
    parsed = JSON.parse(data);
  } catch {
    throw new GraceError('BAD_INPUT', 'expected JSON in a text frame');
  }
  const { type, ...rest } = is.record()(parsed, 'message');
  switch (is.oneOf(TYPES)(type, 'message.type')) {
    case 'hello': {
      const hello = readInput(rest, {
        audio: is.optional(is.record()),
        from: whole(1e9),
        speak: is.optional(is.boolean()),
      });
      if (hello.audio !== undefined) readAudio(hello.audio);
      return { type: 'hello', from: hello.from ?? null, speak: hello.speak ?? false };
    }
    case 'say': {
      const { id, text } = readInput(rest, { id: is.optional(key), text: is.string({ max: 2000 }) });
      return { type: 'say', id: id ?? null, text };
    }
    case 'transcript': {
      const { from, limit } = readInput(rest, { from: whole(1e9), limit: whole(200) });
      return { type: 'transcript', from: from ?? 1, limit: Math.max(1, limit ?? 50) };
    }
    case 'end':
      readInput(rest, {});
      return { type: 'end' };
    case 'close':
      readInput(rest, {});
      return { type: 'close' };
  }
}

function readAudio(given: Record<string, unknown>): void {
  const { format, rate, channels } = readInput(given, {
    format: is.oneOf([AUDIO.format]),
    rate: is.number({ min: AUDIO.rate, max: AUDIO.rate, integer: true }),
    channels: is.number({ min: 1, max: 1, integer: true }),
  });
  // Read to be refused where it is anything else.
  void [format, rate, channels];
}

export function acceptedOf(turn: Turn): ToClient {
  const { startMs, endMs, cut } = turn;
  const place = startMs === null || endMs === null || cut === null ? {} : { startMs, endMs, cut };
  return { type: 'accepted', turn: turn.turn, id: turn.key, kind: turn.kind, ...place };
}

export function answerOf(turn: Turn): Extract<ToClient, { type: 'answer' }> {
  const { kind, state, text, intent, answer, calls, ms, error } = turn;
  return { type: 'answer', turn: turn.turn, id: turn.key, kind, state, text, intent, answer, calls, ms, error };
}

export function errorOf({ code, message }: WireError, id: string | null): ToClient {
  return { type: 'error', code, message: message.slice(0, 500), id };
}

/** A reason of a close frame has at most 123 bytes. */
export function closeReason(text: string): string {
  let short = text.toWellFormed().slice(0, 123);
  while (Buffer.byteLength(short) > 123) short = short.slice(0, -1).toWellFormed();
  return short;
}
