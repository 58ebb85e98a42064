const REMEMBERED = 8192;

/**
 * Ids a principal has had accepted, the latest 8192. Remembering costs one store; an index is built only when somebody asks, which
 * happens for messages that were sent again or carry an id of the sender's choice.
 */
export class RecentIds {
  readonly #ring: (string | undefined)[] = [];
  #next = 0;
  #index: Set<string> | undefined;
  #addedSinceAsked = 0;

  add(id: string): void {
    const overwritten = this.#ring[this.#next];
    this.#ring[this.#next] = id;
    this.#next = (this.#next + 1) % REMEMBERED;
    if (!this.#index) return;
    if (overwritten !== undefined) this.#index.delete(overwritten);
    this.#index.add(id);
    if (++this.#addedSinceAsked > REMEMBERED) this.#index = undefined;
  }

  has(id: string): boolean {
    this.#index ??= new Set(this.#ring as string[]);
    this.#addedSinceAsked = 0;
    return this.#index.has(id);
  }
}
