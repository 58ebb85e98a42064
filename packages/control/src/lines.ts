import { GraceError, MAX_LINE_BYTES } from '@grace/contracts';

/** Cuts a byte stream into lines. Throws `PROTOCOL` for a line over `maxBytes`, so a peer cannot make the other side hoard memory. */
export class LineReader {
  #parts: Buffer[] = [];
  #held = 0;
  readonly #maxBytes: number;

  constructor(maxBytes = MAX_LINE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  *push(chunk: Buffer): Generator<string> {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#hold(chunk.subarray(start, end));
      start = end + 1;
      const line = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
      this.#parts = [];
      this.#held = 0;
      yield line.toString('utf8');
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
  }

  #hold(part: Buffer): void {
    this.#held += part.length;
    if (this.#held > this.#maxBytes) throw new GraceError('PROTOCOL', `a line is longer than ${this.#maxBytes} bytes`);
    this.#parts.push(part);
  }
}
