import type { Session } from 'node:inspector';
import type { Worker } from 'node:worker_threads';
import { GraceError } from '@grace/contracts';
import { type ThreadHandle, within } from '../thread-handle.ts';

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

/** Between the start of a thread and the announcement of its session lie a few milliseconds of its own start, more on a full machine. */
const ANNOUNCED_MS = 5000;

const PAUSED = '{"method":"Debugger.paused"';
const RESUMED = '{"method":"Debugger.resumed"';

export type LookedAt = Pick<ThreadHandle, 'worker' | 'isEnding'>;

interface Use {
  take(message: Message): void;
  end(): void;
  /** Scripts of the thread, by id. */
  urls: Map<string, string>;
}

/** One per process: it has one inspector. */
interface Watch {
  /** Returns the number that the answer will carry. */
  tell(sessionId: string, method: string, params?: object): number;
  /** Of the threads that run, by `threadId`. */
  sessions: Map<number, string>;
  /** Of those that somebody looks into now, by session. */
  uses: Map<string, Set<Use>>;
  /** Sessions whose threads stand still. */
  paused: Set<string>;
  /** Those that somebody wants to look into before their sessions are there, by `threadId`. */
  announced: Map<number, PromiseWithResolvers<void>>;
}

let watch: Watch | undefined;
let lastId = 0;

/**
 * Attaches to every worker of this process from its birth on; it costs a thread nothing before it is looked into. To be called before the first
 * worker is made: attaching to those that are there already ends the process (SIGSEGV in `WorkerManager::SetAutoAttach`) when one of them
 * ends at that moment.
 */
export function watchWorkers(): void {
  // A Node without an inspector runs kernels as well; it cannot look into them.
  if (process.features.inspector) watch ??= begin();
}

function begin(): Watch {
  const { Session } = process.getBuiltinModule('node:inspector');
  const inspector: Session = new Session();
  const sessions: Watch['sessions'] = new Map();
  const uses: Watch['uses'] = new Map();
  const paused: Watch['paused'] = new Set();
  const announced: Watch['announced'] = new Map();
  const of = (sessionId: string): Use[] => [...(uses.get(sessionId) ?? [])];

  // Whatever follows from a message runs after it: the inspector cannot bear to be asked while it delivers (SIGSEGV).
  inspector.on('NodeWorker.attachedToWorker', ({ params: { sessionId, workerInfo } }) => {
    const threadId = Number(/^\[worker (\d+)\]/.exec(workerInfo.title)?.[1]);
    sessions.set(threadId, sessionId);
    setImmediate(() => announced.get(threadId)?.resolve());
  });
  inspector.on('NodeWorker.detachedFromWorker', ({ params: { sessionId } }) => {
    for (const [threadId, its] of sessions) if (its === sessionId) sessions.delete(threadId);
    paused.delete(sessionId);
    for (const use of of(sessionId)) setImmediate(() => use.end());
  });
  inspector.on('NodeWorker.receivedMessageFromWorker', ({ params: { sessionId, message } }) => {
    if (message.startsWith(SCRIPTS)) {
      const [, id, url] = SCRIPT.exec(message) ?? [];
      for (const { urls } of of(sessionId)) if (id && urls.size < MAX_SCRIPTS) urls.set(id, JSON.parse(url!) as string);
      return;
    }
    if (message.startsWith(PAUSED)) paused.add(sessionId);
    else if (message.startsWith(RESUMED)) paused.delete(sessionId);
    setImmediate(() => {
      // Whoever ordered it has gone meanwhile.
      if (paused.has(sessionId) && !uses.has(sessionId)) tell(sessionId, 'Debugger.disable');
      for (const use of of(sessionId)) use.take(JSON.parse(message) as Message);
    });
  });
  // `process.exit()` waits for ever for a thread that is paused.
  process.on('exit', () => {
    for (const sessionId of uses.keys()) post('NodeWorker.detach', { sessionId });
  });
  const post = (method: string, params: object): void => inspector.post(method, params);
  const tell: Watch['tell'] = (sessionId, method, params = {}) => {
    const id = ++lastId;
    post('NodeWorker.sendMessageToWorker', { sessionId, message: JSON.stringify({ id, method, params }) });
    return id;
  };
  inspector.connect();
  post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  return { tell, sessions, uses, paused, announced };
}

/**
 * Reaches a worker from the main thread through the inspector domain `NodeWorker`. It tells workers apart only by the title
 * "[worker <threadId>] <name>".
 * @throws GraceError `KERNEL_GONE` when the thread has ended, `DEADLINE` when it never began
 * @throws Error when nobody called `watchWorkers`, or this Node has no inspector
 */
export async function openWorkerSession(thread: LookedAt, events: WorkerSessionEvents): Promise<WorkerSession> {
  if (!watch)
    throw new Error(
      'no thread can be looked into: watchWorkers() was not called before the first, or Node has no inspector',
    );
  const { tell, uses, paused } = watch;
  const sessionId = await announcedSession(watch, thread.worker);
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const domains = new Set<string>();
  let closed = false;
  /** What comes before the first answer was meant for somebody before. */
  let answered = false;

  const shut = (): void => {
    closed = true;
    const left = uses.get(sessionId);
    left?.delete(use);
    if (left?.size === 0) uses.delete(sessionId);
    for (const { reject } of waiting.values()) reject(gone());
    waiting.clear();
  };
  const use: Use = {
    urls: new Map(),
    take(message) {
      if (closed) return;
      if (message.id === undefined) {
        if (answered) events.onEvent(message.method ?? '', message.params);
        return;
      }
      const answer = waiting.get(message.id);
      if (!answer) return;
      answered = true;
      waiting.delete(message.id);
      if (message.error) answer.reject(new GraceError('INTERNAL', message.error.message));
      else answer.resolve(message.result);
    },
    end() {
      if (closed) return;
      shut();
      events.onEnd();
    },
  };
  /** What is posted to an inspector that is just being taken down ends the process (SIGABRT in `MainThreadInterface::Post`). */
  const listens = (): boolean => !thread.isEnding || paused.has(sessionId);
  uses.set(sessionId, (uses.get(sessionId) ?? new Set()).add(use));
  return {
    send(method, params = {}) {
      if (closed || !listens()) return Promise.reject(gone());
      domains.add(method.slice(0, method.indexOf('.')));
      const answer = Promise.withResolvers<unknown>();
      answer.promise.catch(() => {});
      waiting.set(tell(sessionId, method, params), answer);
      return answer.promise;
    },
    urlOf: (scriptId) => use.urls.get(scriptId) ?? '',
    close() {
      if (closed) return;
      shut();
      // A thread in native code takes these orders together with those that it has not taken yet, so a pause that nobody waits for never comes.
      if (listens()) for (const domain of domains) tell(sessionId, `${domain}.disable`);
    },
  };
}

function gone(): GraceError {
  return new GraceError('KERNEL_GONE', 'the thread ended, or is let go, before it answered');
}

async function announcedSession({ sessions, announced }: Watch, worker: Worker): Promise<string> {
  const { threadId } = worker;
  if (threadId === -1) throw gone();
  if (!sessions.has(threadId)) {
    const waiting = announced.get(threadId) ?? Promise.withResolvers<void>();
    const { promise, resolve } = waiting;
    announced.set(threadId, waiting);
    worker.once('exit', resolve);
    await within(promise, ANNOUNCED_MS, 'the thread did not begin').finally(() => {
      announced.delete(threadId);
      worker.removeListener('exit', resolve);
    });
  }
  const sessionId = sessions.get(threadId);
  if (sessionId === undefined) throw gone();
  return sessionId;
}
