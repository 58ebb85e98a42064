import { GraceError } from '@grace/contracts';
import type { TreeHead } from '../tree/checkpoint.ts';
import type { Verifier } from '../tree/note.ts';
import type { Cosigner } from '../tree/options.ts';
import { askWitness, type WitnessAddress } from './client.ts';

const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 30_000;

/** Where a witness is, and by which key it signs, at this moment; null while it is not there. */
export type WitnessPlace = () => { address: WitnessAddress; verifier: Verifier } | null;

export interface WitnessStatus {
  name: string | null;
  /** `waiting`: it failed to answer and is not asked again yet. */
  state: 'ready' | 'waiting' | 'away';
  /** The size it cosigned last, in this incarnation. */
  size: number | null;
  failure: string | null;
}

/** Asks one witness, with a deadline. One that fails to answer is left alone for a growing time, so that it does not delay every checkpoint. */
export class WitnessCosigner implements Cosigner {
  readonly #place: WitnessPlace;
  readonly #deadlineMs: number;
  readonly #heard: (answered: boolean) => void;
  #size = 0;
  #signed: number | null = null;
  #pauseMs = 0;
  #readyAtMono = 0;
  #failure: string | null = null;

  /** `heard` is told of each question whether it was answered within the deadline. */
  constructor(place: WitnessPlace, deadlineMs: number, heard: (answered: boolean) => void = () => undefined) {
    this.#place = place;
    this.#deadlineMs = deadlineMs;
    this.#heard = heard;
  }

  get verifier(): Verifier | null {
    return this.#place()?.verifier ?? null;
  }

  get isReady(): boolean {
    return this.#place() !== null && performance.now() >= this.#readyAtMono;
  }

  get status(): WitnessStatus {
    const state = this.#place() === null ? 'away' : this.isReady ? 'ready' : 'waiting';
    return { name: this.verifier?.name ?? null, state, size: this.#signed, failure: this.#failure };
  }

  async cosign(head: TreeHead, note: string, proof: (from: number) => Promise<Buffer[]>): Promise<string> {
    const place = this.#place();
    if (!place || !this.isReady) {
      throw new GraceError('CONNECTION_CLOSED', this.#failure ?? 'the witness is not running yet');
    }
    try {
      const old = Math.min(this.#size, head.size);
      const ask = { verifier: place.verifier, head, note, old, proof, deadlineMs: this.#deadlineMs };
      const lines = await askWitness(place.address, ask);
      this.#heard(true);
      this.#size = head.size;
      this.#signed = head.size;
      this.#pauseMs = 0;
      this.#failure = null;
      return lines;
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : String(error);
      this.#pauseMs = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MIN_MS, this.#pauseMs * 2));
      this.#readyAtMono = performance.now() + this.#pauseMs;
      if (error instanceof GraceError && error.code === 'DEADLINE') this.#heard(false);
      throw error;
    }
  }
}
