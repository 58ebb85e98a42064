import { GraceError } from '@grace/contracts';
import type { ProviderSettings } from '../settings.ts';
import { ask, expectSuccess, placeOf } from './endpoint.ts';
import type { Exchanges } from './exchanges.ts';

export interface Heard {
  session: string;
  turn: number;
  wav: Uint8Array;
  audioMs: number;
  language: string;
}

export interface Transcriber {
  /**
   * The words of an utterance; empty when there are none.
   * @throws GraceError `VOICE_BUDGET`, `VOICE_PROVIDER`, `DEADLINE`
   */
  transcribe(heard: Heard): Promise<string>;
}

const ANSWER_BYTES = 256 * 1024;
const WORDS_MAX = 2000;

/** `POST /v1/audio/transcriptions` as OpenAI has it: multipart with file, model, language; answers `{ "text": … }`. */
export function createTranscriber(settings: ProviderSettings, exchanges: Exchanges): Transcriber {
  const { url, model, deadlineMs } = settings;
  return {
    transcribe: ({ session, turn, wav, audioMs, language }) =>
      exchanges.run(
        { session, turn, kind: 'stt', provider: placeOf(url), model, units: audioMs },
        settings.key,
        async (headers, signal) => {
          const body = new FormData();
          body.set('file', new Blob([new Uint8Array(wav)], { type: 'audio/wav' }), 'utterance.wav');
          body.set('model', model);
          body.set('response_format', 'json');
          // The endpoint takes ISO 639-1.
          body.set('language', language.split('-', 1)[0]!);
          const answered = await ask({ url, headers, body, deadlineMs, maxBytes: ANSWER_BYTES, signal });
          expectSuccess(answered, url);
          const text = exchanges.clean(textOf(answered.bytes, url));
          return { value: text, said: text, status: answered.status };
        },
      ),
  };
}

function textOf(bytes: Buffer, url: string): string {
  let said: unknown;
  try {
    said = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new GraceError('VOICE_PROVIDER', `${placeOf(url)} answers with something that is no JSON`);
  }
  const text = said !== null && typeof said === 'object' ? (said as { text?: unknown }).text : undefined;
  if (typeof text !== 'string')
    throw new GraceError('VOICE_PROVIDER', `${placeOf(url)}: expected { "text": … }, there is no text`);
  return text
    .toWellFormed()
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, WORDS_MAX);
}
