import { GraceError } from '@grace/contracts';

export const LENGTH_BYTES = 4;

/** Cuts a byte stream into frames by their length prefix; large frames are assembled once, however many chunks they come in. */
export class FrameReader {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #held = 0;
  /** Bytes needed before it is worth looking again. */
  #needed = LENGTH_BYTES;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws GraceError `PROTOCOL` for a frame over the limit, so a peer cannot make this side hoard memory */
  *push(chunk: Buffer): Generator<Buffer> {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#needed) return;
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#held);
    let at = 0;
    this.#needed = LENGTH_BYTES;
    while (bytes.length - at >= LENGTH_BYTES) {
      const length = bytes.readUInt32LE(at);
      if (length > this.#maxBytes) throw new GraceError('PROTOCOL', `a frame of ${length} bytes is announced`);
      if (bytes.length - at - LENGTH_BYTES < length) {
        this.#needed = LENGTH_BYTES + length;
        break;
      }
      const start = at + LENGTH_BYTES;
      at = start + length;
      yield bytes.subarray(start, at);
    }
    const rest = bytes.subarray(at);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#held = rest.length;
  }
}
