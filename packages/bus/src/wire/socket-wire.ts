import type { Socket } from 'node:net';
import { deserialize, serialize } from 'node:v8';
import { FrameReader } from './frame-reader.ts';
import type { Wire, WireHandlers } from './wire.ts';

/** The longest frame a side takes: one batch of the largest payloads, with room for its heads. */
const MAX_FRAME_BYTES = 64 * 1024 ** 2;
const LENGTH_BYTES = 4;
/** Position of the payloads in both batch frames. */
const CLIENT_PAYLOADS = 3;
const BROKER_PAYLOADS = 5;

/**
 * A wire over a Unix socket: between processes. A frame is `<length of the rest><length of the head><head><payloads>`, lengths as 32-bit
 * little-endian integers, head and payloads in V8's structured-clone form; the payloads are decoded only when they are needed.
 */
export class SocketWire<In extends unknown[], Out extends unknown[]> implements Wire<In, Out> {
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
        for (const body of reader.push(chunk)) {
          if (this.#closed) return;
          handlers.onFrame(decode<In>(body));
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
    const section = payloadsAt(frame);
    const payloads = section === undefined ? undefined : (frame[section] as unknown[]);
    const head = serialize(payloads?.length ? frame.with(section!, null) : frame);
    const tail = payloads?.length ? serialize(payloads) : Buffer.alloc(0);
    const prefix = Buffer.allocUnsafe(2 * LENGTH_BYTES);
    prefix.writeUInt32LE(LENGTH_BYTES + head.length + tail.length, 0);
    prefix.writeUInt32LE(head.length, LENGTH_BYTES);
    this.#socket.write(Buffer.concat([prefix, head, tail]));
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

function payloadsAt(frame: unknown[]): number | undefined {
  if (frame[0] !== 'batch') return undefined;
  return Array.isArray(frame[CLIENT_PAYLOADS]) ? CLIENT_PAYLOADS : BROKER_PAYLOADS;
}

function decode<In extends unknown[]>(body: Buffer): In {
  const headEnd = LENGTH_BYTES + body.readUInt32LE(0);
  const frame = deserialize(body.subarray(LENGTH_BYTES, headEnd)) as In;
  if (headEnd < body.length)
    frame[frame[CLIENT_PAYLOADS] === null ? CLIENT_PAYLOADS : BROKER_PAYLOADS] = body.subarray(headEnd);
  return frame;
}
