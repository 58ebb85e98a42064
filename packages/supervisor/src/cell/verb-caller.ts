import type { MessagePort } from 'node:worker_threads';
import { fromWireError, GraceError, type VerbAnswer, type VerbEndpoint, type VerbMeta } from '@grace/contracts';
import * as Comlink from 'comlink';

interface Pending {
  timer: NodeJS.Timeout;
  answer(value: VerbAnswer): void;
}

/** Calls that may be under way at once to one thread. */
const MAX_PENDING = 1000;

/**
 * Host side of the verb lane; its twin is kernel-sdk/src/thread/verb-server.ts. Comlink alone would leave a call to a dead or hanging
 * thread pending for ever, so this endpoint answers in the thread's place: when the deadline passes, and when the thread ends.
 */
export class VerbCaller {
  readonly #port: MessagePort;
  readonly #kernel: string;
  readonly #pending = new Map<string, Pending>();
  readonly #remote: Comlink.Remote<VerbEndpoint>;
  #listener: (event: { data: unknown }) => void = () => {};
  #deadlineMs = 0;
  #ended = false;

  constructor(kernel: string, port: MessagePort) {
    this.#kernel = kernel;
    this.#port = port;
    port.on('message', (data: { id?: string }) => {
      if (typeof data?.id === 'string') this.#settle(data.id, data);
    });
    this.#remote = Comlink.wrap<VerbEndpoint>({
      postMessage: (message) => this.#send(message),
      addEventListener: (_type, listener) => {
        this.#listener = listener as (event: { data: unknown }) => void;
      },
      removeEventListener: () => {},
    });
  }

  probe(deadlineMs: number): Promise<unknown> {
    return this.#call(deadlineMs, () => this.#remote.probe());
  }

  invoke(verb: string, input: unknown, meta: VerbMeta): Promise<unknown> {
    return this.#call(meta.deadlineMs, () => this.#remote.invoke(verb, input, meta));
  }

  /** The thread is gone: every pending call is answered with `KERNEL_GONE`. */
  end(): void {
    this.#ended = true;
    for (const [id, { answer }] of [...this.#pending]) {
      this.#forget(id);
      answer({
        ok: false,
        error: { code: 'KERNEL_GONE', message: `the thread of ${this.#kernel} ended before it answered` },
      });
    }
    this.#port.close();
  }

  /** @throws GraceError `DEADLINE`, `KERNEL_GONE`, `CONFLICT` when too many calls wait, or what the verb threw */
  async #call(deadlineMs: number, ask: () => Promise<VerbAnswer>): Promise<unknown> {
    if (this.#ended) throw new GraceError('KERNEL_GONE', `the thread of ${this.#kernel} has ended`);
    if (this.#pending.size >= MAX_PENDING)
      throw new GraceError('CONFLICT', `${MAX_PENDING} calls to ${this.#kernel} are under way already`);
    // Comlink posts before it returns, so the deadline is that of this very call.
    this.#deadlineMs = deadlineMs;
    const answer = await ask();
    if (answer.ok) return answer.value;
    throw fromWireError(answer.error);
  }

  #send(message: { id?: string }): void {
    const id = message.id!;
    const deadlineMs = this.#deadlineMs;
    const answer = (value: VerbAnswer): void => this.#listener({ data: { id, type: 'RAW', value } });
    const timer = setTimeout(() => {
      this.#forget(id);
      answer({
        ok: false,
        error: { code: 'DEADLINE', message: `${this.#kernel} did not answer within ${Math.round(deadlineMs)} ms` },
      });
    }, deadlineMs);
    this.#pending.set(id, { timer, answer });
    this.#port.postMessage(message);
  }

  #settle(id: string, data: unknown): void {
    if (!this.#pending.has(id)) return;
    this.#forget(id);
    this.#listener({ data });
  }

  #forget(id: string): void {
    clearTimeout(this.#pending.get(id)?.timer);
    this.#pending.delete(id);
  }
}
