import { GraceError } from '@grace/contracts';
import { AUDIO, samplesOf } from '../audio/pcm.ts';
import { resample } from '../audio/resample.ts';
import { readWav, type Sound } from '../audio/wav.ts';
import type { ProviderSettings } from '../settings.ts';
import { ask, expectSuccess, placeOf } from './endpoint.ts';
import type { Exchanges } from './exchanges.ts';

export interface Speech {
  session: string;
  turn: number;
  text: string;
  language: string;
}

export interface Synthesiser {
  /**
   * The text as samples of `AUDIO.rate`.
   * @throws GraceError `VOICE_BUDGET`, `VOICE_PROVIDER`, `DEADLINE`
   */
  speak(speech: Speech): Promise<Int16Array>;
}

export const SOUND_BYTES = 4 * 1024 ** 2;
/** What is longer is cut off: no answer takes so long to say, and another rate costs time for each sample. */
const SOUND_MAX_S = 60;
/** What the endpoint means by `pcm`. */
const PCM_RATE = 24_000;

/** `POST /v1/audio/speech` as OpenAI has it: JSON with model, voice, input; answers a WAV file, or bare samples as `audio/pcm`. */
export function createSynthesiser(settings: ProviderSettings, exchanges: Exchanges): Synthesiser {
  const { url, model, voice, deadlineMs } = settings;
  return {
    speak: ({ session, turn, text }) =>
      exchanges.run(
        { session, turn, kind: 'tts', provider: placeOf(url), model, units: text.length },
        settings.key,
        async (headers, signal) => {
          const answered = await ask({
            url,
            headers: { ...headers, 'content-type': 'application/json' },
            body: JSON.stringify({ model, voice, input: text, response_format: 'wav' }),
            deadlineMs,
            maxBytes: SOUND_BYTES,
            signal,
          });
          expectSuccess(answered, url);
          const samples = spoken(soundOf(answered.bytes, answered.type, url));
          return { value: samples, said: `${samples.length} samples`, status: answered.status };
        },
      ),
  };
}

export function spoken({ rate, samples }: Sound): Int16Array {
  return resample({ rate, samples: samples.subarray(0, rate * SOUND_MAX_S) }, AUDIO.rate).samples;
}

function soundOf(bytes: Buffer, type: string, url: string): Sound {
  if (type.startsWith('audio/pcm')) return { rate: PCM_RATE, samples: samplesOf(bytes) };
  try {
    return readWav(bytes);
  } catch (error) {
    throw new GraceError('VOICE_PROVIDER', `${placeOf(url)}: ${error instanceof Error ? error.message : error}`);
  }
}
