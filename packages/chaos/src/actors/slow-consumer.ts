import { systemClock } from '@grace/contracts';

/** How often it looks whether it may take the next messages, ms. */
const EVERY_MS = 10;
/** Time that was not used is not saved up beyond this, ms: slow means slow. */
const MOST_SAVED_MS = 100;

/** Handles messages in their order, so many a second and no more. What it has not handled when it ends stays unanswered. */
export class SlowConsumer {
  #perSecond: number;
  #waiting: { done: () => void }[] = [];
  #lastMono = systemClock.monoMs();
  #may = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#timer = setInterval(() => this.#turn(), EVERY_MS);
  }

  /** Resolves when it is this message's turn. */
  handle(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ done: resolve }));
  }

  goOnAt(perSecond: number): void {
    this.#perSecond = perSecond;
  }

  end(): void {
    clearInterval(this.#timer);
    this.#waiting = [];
  }

  #turn(): void {
    const now = systemClock.monoMs();
    const mostSaved = Math.max(1, (this.#perSecond * MOST_SAVED_MS) / 1000);
    this.#may = Math.min(mostSaved, this.#may + ((now - this.#lastMono) / 1000) * this.#perSecond);
    this.#lastMono = now;
    const turn = this.#waiting.splice(0, Math.floor(this.#may));
    this.#may -= turn.length;
    for (const { done } of turn) done();
  }
}
