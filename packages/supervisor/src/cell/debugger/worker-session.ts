import type { Session } from 'node:inspector';
import type { Worker } from 'node:worker_threads';
import { GraceError } from '@grace/contracts';

/** The inspector protocol spoken with one worker thread. */
export interface WorkerSession {
  /** @throws GraceError `KERNEL_GONE` when the session or the thread ended first, `INTERNAL` with the protocol's own message */
  send(method: string, params?: object): Promise<unknown>;
  /** Where a script was loaded from; empty for code that was evaluated. Frames carry no URL of their own. */
  urlOf(scriptId: string): string;
  /** At once. The thread runs on, paused or not; what was asked and not begun is forgotten. */
  close(): void;
}

export interface WorkerSessionEvents {
  onEvent(method: string, params: unknown): void;
  /** The thread has ended. Not after `close`. */
  onEnd(): void;
}

interface Message {
  id?: number;
  method?: string;
  params?: unknown;
  result?: unknown;
  error?: { message: string };
}

/** One comes for every script of the thread when its debugger is enabled, 90 at the least: too many to parse them whole. */
const SCRIPT = /^\{"method":"Debugger\.scriptParsed","params":\{"scriptId":"(\d+)","url":("(?:[^"\\]|\\.)+")/;
const SCRIPTS = '{"method":"Debugger.scriptParsed"';
/** A kernel may evaluate for ever, and give each piece of code a name. */
const MAX_SCRIPTS = 5000;

const open = new Set<() => void>();
/** `process.exit()` waits for ever for a thread that is paused. */
const closeAll = (): void => {
  for (const close of open) close();
};

/**
 * Reaches a worker from the main thread through the inspector domain `NodeWorker`. It attaches to every worker of the process at once, and
 * tells them apart only by the title "[worker <threadId>] <name>"; the others are let go before they notice (0.1 ms of their time).
 * Each session has its own inspector session, because a worker that was let go can be had again only by a new one.
 * A session ends by `NodeWorker.detach` alone: `NodeWorker.disable` and `disconnect()` leave a paused thread paused for ever.
 */
export async function openWorkerSession(worker: Worker, events: WorkerSessionEvents): Promise<WorkerSession> {
  const { Session } = await import('node:inspector');
  const inspector: Session = new Session();
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const urls = new Map<string, string>();
  const { threadId } = worker;
  let sessionId: string | undefined;
  let lastId = 0;
  let closed = false;

  const gone = (): GraceError => new GraceError('KERNEL_GONE', 'the thread ended, or is let go, before it answered');
  const end = (): void => {
    closed = true;
    open.delete(close);
    if (open.size === 0) process.removeListener('exit', closeAll);
    for (const { reject } of waiting.values()) reject(gone());
    waiting.clear();
    inspector.disconnect();
  };
  const close = (): void => {
    if (closed) return;
    if (sessionId) inspector.post('NodeWorker.detach', { sessionId });
    end();
  };

  // Whatever follows from a message runs after it: a session that is closed while it delivers ends the process (SIGSEGV).
  const later = (work: () => void): void => {
    setImmediate(() => {
      if (!closed) work();
    });
  };
  inspector.on('NodeWorker.attachedToWorker', ({ params }) => {
    if (Number(/^\[worker (\d+)\]/.exec(params.workerInfo.title)?.[1]) === threadId) sessionId = params.sessionId;
    else later(() => inspector.post('NodeWorker.detach', { sessionId: params.sessionId }));
  });
  inspector.on('NodeWorker.detachedFromWorker', ({ params }) => {
    if (params.sessionId !== sessionId) return;
    sessionId = undefined;
    later(() => {
      end();
      events.onEnd();
    });
  });
  inspector.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
    if (params.sessionId !== sessionId) return;
    if (params.message.startsWith(SCRIPTS)) {
      const [, id, url] = SCRIPT.exec(params.message) ?? [];
      if (id && urls.size < MAX_SCRIPTS) urls.set(id, JSON.parse(url!) as string);
      return;
    }
    later(() => take(JSON.parse(params.message) as Message));
  });
  const take = (message: Message): void => {
    if (message.id === undefined) {
      events.onEvent(message.method ?? '', message.params);
      return;
    }
    const answer = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) answer?.reject(new GraceError('INTERNAL', message.error.message));
    else answer?.resolve(message.result);
  };

  if (open.size === 0) process.on('exit', closeAll);
  open.add(close);
  inspector.connect();
  // The workers there are announce themselves before this returns.
  inspector.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  if (threadId === -1 || !sessionId) {
    close();
    throw gone();
  }
  return {
    send(method, params = {}) {
      if (closed || !sessionId) return Promise.reject(gone());
      const id = ++lastId;
      const answer = Promise.withResolvers<unknown>();
      answer.promise.catch(() => {});
      waiting.set(id, answer);
      inspector.post('NodeWorker.sendMessageToWorker', {
        sessionId,
        message: JSON.stringify({ id, method, params }),
      });
      return answer.promise;
    },
    urlOf: (scriptId) => urls.get(scriptId) ?? '',
    close,
  };
}
