import type { Socket } from 'node:net';
import { type ControlFrame, fromWireError, GraceError, toWireError } from '@grace/contracts';
import { LineReader } from './lines.ts';

export interface ChannelOptions {
  /** Answers requests of the other side. A rejection travels back as an error with its code. */
  onRequest?: (method: string, params: unknown, context: { deadlineMs: number }) => Promise<unknown> | unknown;
  onNotice?: (name: string, data: unknown) => void;
  onClose?: (error: GraceError | undefined) => void;
  /** Notices are dropped (and `notice` returns false) while more than this waits in the socket, bytes. */
  maxBufferedBytes?: number;
  /** Requests of the other side that may be under way at once. */
  maxConcurrent?: number;
}

interface Pending {
  resolve: (value: unknown) => void;
  reject: (error: GraceError) => void;
  timer: NodeJS.Timeout;
}

/**
 * One connection of the control socket: requests with deadlines and notices, in both directions, one JSON document a line.
 * Every pending request is rejected when the connection closes; nothing waits for ever.
 */
export class Channel {
  readonly #socket: Socket;
  readonly #options: ChannelOptions;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #active = 0;
  #closed = false;

  constructor(socket: Socket, options: ChannelOptions = {}) {
    this.#socket = socket;
    this.#options = options;
    const reader = new LineReader();
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const line of reader.push(chunk)) this.#receive(line);
      } catch (error) {
        this.#end(error instanceof GraceError ? error : new GraceError('PROTOCOL', String(error)));
      }
    });
    socket.on('error', (error) =>
      this.#end(new GraceError('CONNECTION_CLOSED', `the connection broke: ${error.message}`)),
    );
    socket.on('close', () => this.#end(undefined));
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Asks the other side.
   * @throws GraceError `DEADLINE` after `deadlineMs`, `CONNECTION_CLOSED`, or the code the other side answered with
   */
  request<T>(method: string, params: unknown, deadlineMs: number): Promise<T> {
    if (this.#closed)
      return Promise.reject(new GraceError('CONNECTION_CLOSED', `cannot ask "${method}": the connection is closed`));
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new GraceError('DEADLINE', `no answer to "${method}" within ${deadlineMs} ms`, { method, deadlineMs }));
      }, deadlineMs);
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject, timer });
      this.#write({ t: 'request', id, method, params, deadlineMs });
    });
  }

  /** Tells the other side; false when it was dropped because the other side does not keep up or is gone. */
  notice(name: string, data: unknown): boolean {
    if (this.#closed || this.#socket.writableLength > (this.#options.maxBufferedBytes ?? 8e6)) return false;
    this.#write({ t: 'notice', name, data });
    return true;
  }

  /** Ends the connection after what is written has been sent. */
  close(): void {
    if (this.#closed) return;
    this.#socket.end();
    this.#end(undefined);
  }

  #write(frame: ControlFrame): void {
    this.#socket.write(`${JSON.stringify(frame)}\n`);
  }

  #receive(line: string): void {
    let frame: ControlFrame;
    try {
      frame = JSON.parse(line) as ControlFrame;
    } catch {
      throw new GraceError('PROTOCOL', `not a JSON document: ${line.slice(0, 80)}`);
    }
    switch (frame?.t) {
      case 'request':
        void this.#answer(frame);
        return;
      case 'result':
        this.#settle(frame.id, (pending) => pending.resolve(frame.value));
        return;
      case 'error':
        this.#settle(frame.id, (pending) => pending.reject(fromWireError(frame.error)));
        return;
      case 'notice':
        this.#options.onNotice?.(frame.name, frame.data);
        return;
      default:
        throw new GraceError('PROTOCOL', `not a frame: ${line.slice(0, 80)}`);
    }
  }

  async #answer(frame: Extract<ControlFrame, { t: 'request' }>): Promise<void> {
    if (this.#active >= (this.#options.maxConcurrent ?? 1000)) {
      this.#write({
        t: 'error',
        id: frame.id,
        error: { code: 'CONFLICT', message: 'too many requests are under way on this connection' },
      });
      return;
    }
    this.#active++;
    try {
      if (!this.#options.onRequest) throw new GraceError('UNKNOWN_METHOD', 'this side answers no requests');
      const value = await this.#options.onRequest(frame.method, frame.params, { deadlineMs: frame.deadlineMs });
      if (!this.#closed) this.#write({ t: 'result', id: frame.id, value: value ?? null });
    } catch (error) {
      if (!this.#closed) this.#write({ t: 'error', id: frame.id, error: toWireError(error) });
    } finally {
      this.#active--;
    }
  }

  #settle(id: number, act: (pending: Pending) => void): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    act(pending);
  }

  #end(error: GraceError | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const id of [...this.#pending.keys()]) {
      this.#settle(id, (pending) => pending.reject(error ?? new GraceError('CONNECTION_CLOSED')));
    }
    if (error) this.#socket.destroy();
    else this.#socket.destroySoon();
    this.#options.onClose?.(error);
  }
}
