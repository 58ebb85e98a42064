import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * A bound on open connections in which whoever does nothing gives way: a new connection at the bound ends the one that has been idle longest.
 * Who holds connections without asking anything keeps nobody out, the functional probe included.
 */
export class Connections {
  readonly #max: number;
  /** Idle longest first. */
  readonly #open = new Set<Socket>();
  readonly #answering = new Map<Socket, ServerResponse>();
  evicted = 0;
  refused = 0;

  constructor(server: Server, max: number) {
    this.#max = max;
    server.on('connection', (socket) => this.#accept(socket));
    server.prependListener('request', ({ socket }, response) => this.#begin(socket, response));
  }

  get count(): number {
    return this.#open.size;
  }

  /** The answer that is under way on it. */
  answering(socket: Socket): ServerResponse | undefined {
    return this.#answering.get(socket);
  }

  #accept(socket: Socket): void {
    if (this.#open.size >= this.#max) {
      const idle = [...this.#open].find((one) => !this.#answering.has(one));
      if (!idle) {
        this.refused++;
        socket.destroy();
        return;
      }
      this.evicted++;
      this.#open.delete(idle);
      idle.destroy();
    }
    this.#open.add(socket);
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#answering.delete(socket);
    });
  }

  #begin(socket: Socket, response: ServerResponse): void {
    this.#answering.set(socket, response);
    response.once('close', () => {
      if (this.#answering.get(socket) === response) this.#answering.delete(socket);
      if (this.#open.delete(socket)) this.#open.add(socket);
    });
  }
}
