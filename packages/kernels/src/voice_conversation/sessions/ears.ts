import { createHash } from 'node:crypto';
import { GraceError } from '@grace/contracts';
import { AUDIO, BYTES_PER_MS, samplesOf } from '../audio/pcm.ts';
import { wavOf } from '../audio/wav.ts';
import { type CutSettings, Cutter, type Utterance } from '../cut/cutter.ts';
import type { SpokenTurn } from './turn-book.ts';

/** Audio may come at twice the pace of time, beside what is saved up. */
const PACE = 2;

/** What one session hears: its cutter, and how much audio may still come. In memory alone; what was cut is on disk. */
export class Ears {
  readonly #cutter: Cutter;
  readonly #aheadMs: number;
  readonly #nowMono: () => number;
  #roomMs: number;
  #seenMono: number;

  constructor(cut: CutSettings, aheadMs: number, fromMs: number, nowMono: () => number) {
    this.#cutter = new Cutter(cut, fromMs);
    this.#aheadMs = aheadMs;
    this.#roomMs = aheadMs;
    this.#nowMono = nowMono;
    this.#seenMono = nowMono();
  }

  get takenMs(): number {
    return this.#cutter.takenMs;
  }

  get isSpeaking(): boolean {
    return this.#cutter.isSpeaking;
  }

  /** @throws GraceError `VOICE_FULL` when more comes than may, and then nothing of it is taken */
  hear(bytes: Uint8Array): Utterance[] {
    const now = this.#nowMono();
    this.#roomMs = Math.min(this.#aheadMs, this.#roomMs + (now - this.#seenMono) * PACE);
    this.#seenMono = now;
    const ms = bytes.byteLength / BYTES_PER_MS;
    if (ms > this.#roomMs)
      throw new GraceError(
        'VOICE_FULL',
        `${Math.round(ms)} ms of audio are too much now; ${Math.floor(this.#roomMs)} ms may come`,
      );
    this.#roomMs -= ms;
    return this.#cutter.push(samplesOf(bytes));
  }

  end(): Utterance[] {
    return this.#cutter.end();
  }
}

/** @param isKept whether somebody will transcribe it; else what was said leaves no trace but its fingerprint */
export function spokenTurn({ startMs, endMs, cut, samples }: Utterance, isKept: boolean): SpokenTurn {
  const wav = wavOf({ rate: AUDIO.rate, samples });
  const audioSha256 = createHash('sha256').update(wav).digest('hex');
  return { kind: 'spoken', startMs, endMs, cut, audioSha256, audio: isKept ? wav : null };
}
