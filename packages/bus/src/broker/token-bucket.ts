/** At most `perSecond` on average, with a burst of one second. */
export class TokenBucket {
  readonly perSecond: number;
  #tokens: number;
  #atMono: number;

  constructor(perSecond: number, nowMono: number) {
    this.perSecond = perSecond;
    this.#tokens = perSecond;
    this.#atMono = nowMono;
  }

  take(nowMono: number): boolean {
    if (nowMono > this.#atMono) {
      this.#tokens = Math.min(this.perSecond, this.#tokens + ((nowMono - this.#atMono) / 1000) * this.perSecond);
      this.#atMono = nowMono;
    }
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
