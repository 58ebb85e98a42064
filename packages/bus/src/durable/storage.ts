import { Worker } from 'node:worker_threads';
import { fromWireError, type GraceError } from '@grace/contracts';
import type { Load, StorageOrder, StorageReply } from './storage/orders.ts';

const FIRST_DELAY_MS = 20;
const MAX_DELAY_MS = 1000;
const CLOSE_DEADLINE_MS = 2000;

type WithoutNumber<T> = T extends unknown ? Omit<T, 'order'> : never;
export type Order = WithoutNumber<StorageOrder>;

export interface StorageParts {
  dir: string;
  maxFileBytes: number;
  thread: URL;
  /** The thread has the file open: for the first time, or again. */
  opened(load: Load, again: boolean): void;
  /** The thread is gone, or could not open the file; it is tried again. */
  lost(error: GraceError): void;
  committed(commitMs: number): void;
}

interface Waiting {
  order: StorageOrder;
  done(value: unknown): void;
  refused(error: GraceError): void;
}

/**
 * The broker's side of the storage thread: starts it, starts it again when it dies, and gives its successor every order that was not answered.
 * Its twin is storage/thread.ts.
 */
export class Storage {
  readonly #parts: StorageParts;
  /** Not answered yet, in their order. */
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #next = 1;
  #delayMs = FIRST_DELAY_MS;
  #timer: NodeJS.Timeout | undefined;
  #openings = 0;
  #closing: (() => void) | undefined;
  fileBytes = 0;
  restarts = 0;
  /** The file is open. */
  open = false;
  /** Why the file could not be opened when it was last tried. */
  failure: GraceError | undefined;

  constructor(parts: StorageParts) {
    this.#parts = parts;
    this.#start();
  }

  send<T>(order: Order, done: (value: T) => void, refused: (error: GraceError) => void): void {
    const numbered = { ...order, order: this.#next++ } as StorageOrder;
    this.#waiting.set(numbered.order, { order: numbered, done: done as (value: unknown) => void, refused });
    if (this.open) this.#worker!.postMessage(numbered);
  }

  ask<T>(order: Order): Promise<T> {
    return new Promise((resolve, reject) => this.send<T>(order, resolve, reject));
  }

  /** Lets the thread finish what it has been told, and ends it. What is not finished in time is as if this process had been killed. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const worker = this.#worker;
    this.#closing = () => {};
    if (!worker) return;
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    if (this.open)
      this.send(
        { t: 'close' },
        () => {},
        () => {},
      );
    const hurry = setTimeout(() => void worker.terminate(), this.open ? CLOSE_DEADLINE_MS : 0);
    await exited;
    clearTimeout(hurry);
  }

  #start(): void {
    const { dir, maxFileBytes, thread } = this.#parts;
    const worker = new Worker(thread, { name: 'bus_storage', workerData: { dir, maxFileBytes }, execArgv: [] });
    // It never keeps the process alive: whoever runs the broker does.
    worker.unref();
    this.#worker = worker;
    let why: Error | undefined;
    worker.on('message', (reply: StorageReply) => this.#receive(worker, reply));
    worker.on('error', (error: Error) => {
      why = error;
    });
    worker.once('exit', (code) => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.open = false;
      if (this.#closing) return;
      this.restarts++;
      const words = why?.message ?? `it ended with ${code}`;
      this.#parts.lost(
        this.failure ?? fromWireError({ code: 'STORAGE_FAILED', message: `the storage thread: ${words}` }),
      );
      this.#timer = setTimeout(() => this.#start(), this.#delayMs);
      this.#delayMs = Math.min(MAX_DELAY_MS, this.#delayMs * 2);
    });
  }

  #receive(worker: Worker, reply: StorageReply): void {
    switch (reply.t) {
      case 'opened':
        this.open = true;
        this.failure = undefined;
        this.#delayMs = FIRST_DELAY_MS;
        this.fileBytes = reply.load.fileBytes;
        for (const { order } of this.#waiting.values()) worker.postMessage(order);
        this.#parts.opened(reply.load, this.#openings++ > 0);
        return;
      case 'failed':
        this.failure = fromWireError(reply.error);
        return;
      case 'done': {
        this.fileBytes = reply.fileBytes;
        this.#parts.committed(reply.commitMs);
        const waiting = this.#waiting.get(reply.order);
        this.#waiting.delete(reply.order);
        waiting?.done(reply.value);
        return;
      }
      case 'refused': {
        const waiting = this.#waiting.get(reply.order);
        this.#waiting.delete(reply.order);
        waiting?.refused(fromWireError(reply.error));
        return;
      }
    }
  }
}
