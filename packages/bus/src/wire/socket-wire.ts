import type { Socket } from 'node:net';
import { deserialize, serialize } from 'node:v8';
import { FrameReader, LENGTH_BYTES } from './frame-reader.ts';
import type { Wire, WireHandlers } from './wire.ts';

/** The longest frame a side takes: one batch of the largest payloads, with room for its heads. */
const MAX_FRAME_BYTES = 64 * 1024 ** 2;

/**
 * A wire over a Unix socket: between processes. A frame is its length as a 32-bit little-endian integer and itself in V8's structured-clone
 * form; payloads inside are text or bytes that only their receiver decodes.
 */
export class SocketWire<In, Out> implements Wire<In, Out> {
  readonly kind = 'socket';
  readonly #socket: Socket;
  #closed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  open(handlers: WireHandlers<In>): void {
    const reader = new FrameReader(MAX_FRAME_BYTES);
    this.#socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of reader.push(chunk)) {
          if (this.#closed) return;
          handlers.onFrame(deserialize(frame) as In);
        }
      } catch {
        // What cannot be read is not a peer of ours; the close that follows is what both sides act on.
        this.#socket.destroy();
      }
    });
    this.#socket.on('error', () => {});
    this.#socket.once('close', () => {
      this.#closed = true;
      handlers.onClose();
    });
  }

  send(frame: Out): void {
    if (this.#closed) return;
    const body = serialize(frame);
    const prefix = Buffer.allocUnsafe(LENGTH_BYTES);
    prefix.writeUInt32LE(body.length, 0);
    this.#socket.cork();
    this.#socket.write(prefix);
    this.#socket.write(body);
    this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroySoon();
  }
}
