import type { MessagePort } from 'node:worker_threads';
import type { Wire, WireHandlers } from './wire.ts';

/** A wire over a MessagePort: between threads of one process. Frames are cloned by the port itself. */
export class PortWire<In, Out> implements Wire<In, Out> {
  readonly kind = 'port';
  readonly #port: MessagePort;
  #closed = false;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  open(handlers: WireHandlers<In>): void {
    this.#port.on('message', (frame: In) => {
      if (!this.#closed) handlers.onFrame(frame);
    });
    this.#port.once('close', () => {
      this.#closed = true;
      handlers.onClose();
    });
  }

  send(frame: Out, moves: readonly ArrayBuffer[] = []): void {
    if (moves.length > 0) this.#port.postMessage(frame, moves as ArrayBuffer[]);
    else this.#port.postMessage(frame);
  }

  /** A port cannot hold back its peer; the windows do. */
  pause(): void {}
  resume(): void {}

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#port.close();
  }
}
