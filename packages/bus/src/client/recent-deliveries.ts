/** How many deliveries are remembered. */
const REMEMBERED = 4096;

/**
 * Which messages this client has had. Remembering costs one store per message; they are looked up only after a wire broke, when a publisher
 * may have sent again what the broker before had delivered without being able to say so.
 */
export class RecentDeliveries {
  readonly #keys: string[] = new Array(REMEMBERED).fill('');
  readonly #subscriptions = new Float64Array(REMEMBERED);
  #next = 0;
  #before: Set<string> | undefined;

  expectRepeats(): void {
    this.#before ??= new Set();
    for (let i = 0; i < REMEMBERED; i++) {
      if (this.#keys[i] !== '') this.#before.add(`${this.#subscriptions[i]} ${this.#keys[i]}`);
    }
    if (this.#before.size > 2 * REMEMBERED) {
      for (const key of this.#before) {
        if (this.#before.size <= 2 * REMEMBERED) break;
        this.#before.delete(key);
      }
    }
  }

  /** Remembers the delivery; true when it was there before the last break. */
  isRepeat(subscription: number, id: string): boolean {
    if (this.has(subscription, id)) return true;
    this.remember(subscription, id);
    return false;
  }

  /** It was there before the last break. */
  has(subscription: number, id: string): boolean {
    return this.#before?.has(`${subscription} ${id}`) === true;
  }

  remember(subscription: number, id: string): void {
    this.#keys[this.#next] = id;
    this.#subscriptions[this.#next] = subscription;
    this.#next = (this.#next + 1) % REMEMBERED;
  }
}
