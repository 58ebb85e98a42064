import { GraceError } from '@grace/contracts';
import { type LookedAt, openWorkerSession, type WorkerSession } from './worker-session.ts';

/** Places as the inspector says them, counted from 0. */
interface RawFrame {
  functionName: string;
  location: { scriptId: string; lineNumber: number; columnNumber: number };
}

export interface CallFrame extends RawFrame {
  /** Empty for code that was evaluated. */
  url: string;
}

/** The thread stands still until everybody who paused it has let it go. */
export interface Pause {
  readonly frames: CallFrame[];
  end(): void;
}

/** A thread with its debugger enabled. Costs the thread: promises run about eight times slower meanwhile. */
export interface Attachment {
  /**
   * Resolves when the thread stands still; null: it turns its event loop and runs no JavaScript.
   * @throws GraceError `DEADLINE` when it does neither (native code), `KERNEL_GONE` when it ends
   */
  pause(deadlineMs: number): Promise<Pause | null>;
  /** At once; lets the thread run whoever paused it. */
  close(): void;
}

const MAX_FRAMES = 50;
/** How often it is looked whether a thread that heard the order went to wait for events instead, ms. */
const LOOK_MS = 5;

type State = 'running' | 'asked' | 'paused' | 'resuming';

export async function attach(thread: LookedAt, onEnd: () => void): Promise<Attachment> {
  let state: State = 'running';
  let closed: GraceError | null = null;
  let frames: CallFrame[] = [];
  let holders = 0;
  /** When the thread took the last order to pause: its idle time from there on. */
  let idleFromMs: number | null = null;
  const waiting = new Set<PromiseWithResolvers<Pause | null>>();

  const idleMs = (): number => thread.worker.performance.eventLoopUtilization().idle;
  const end = (reason: string): void => {
    closed = new GraceError('KERNEL_GONE', reason);
    fail(closed);
  };
  const fail = (error: Error): void => {
    for (const { reject } of waiting) reject(error);
    waiting.clear();
  };
  const settle = (outcome: () => Pause | null): void => {
    for (const { resolve } of waiting) resolve(outcome());
    waiting.clear();
  };

  const ask = (): void => {
    state = 'asked';
    idleFromMs = null;
    session.send('Debugger.pause').then(() => {
      idleFromMs = idleMs();
    }, fail);
  };
  const resume = (): void => {
    state = 'resuming';
    frames = [];
    session.send('Debugger.resume').catch(() => {});
  };
  const hold = (): Pause => {
    holders++;
    let ended = false;
    return {
      frames,
      end() {
        if (ended) return;
        ended = true;
        holders--;
        if (holders === 0 && state === 'paused') resume();
      },
    };
  };

  const session: WorkerSession = await openWorkerSession(thread, {
    onEvent(method, params) {
      if (method === 'Debugger.paused') {
        state = 'paused';
        const raw = (params as { callFrames: RawFrame[] }).callFrames.slice(0, MAX_FRAMES);
        frames = raw.map((frame) => ({ ...frame, url: session.urlOf(frame.location.scriptId) }));
        settle(hold);
        // Nobody waits any more, or the kernel has a `debugger` statement.
        if (holders === 0) resume();
      } else if (method === 'Debugger.resumed') {
        // An order that comes before this one would be taken for done: the thread still stands.
        state = 'running';
        if (waiting.size > 0) ask();
      }
    },
    onEnd() {
      end('the thread ended while it was looked at');
      onEnd();
    },
  });
  session.send('Debugger.enable').catch(fail);

  return {
    pause(deadlineMs) {
      if (closed) return Promise.reject(closed);
      if (state === 'paused') return Promise.resolve(hold());
      const wait = Promise.withResolvers<Pause | null>();
      waiting.add(wait);
      if (state === 'running') ask();
      const look = setInterval(() => {
        // It went to wait for events after it took the order, so there was no JavaScript to stop in. The order stands until its next.
        if (state === 'asked' && idleFromMs !== null && idleMs() > idleFromMs) settle(() => null);
      }, LOOK_MS);
      const late = setTimeout(() => {
        waiting.delete(wait);
        wait.reject(new GraceError('DEADLINE', `the thread did not stand still within ${Math.round(deadlineMs)} ms`));
      }, deadlineMs);
      return wait.promise.finally(() => {
        clearInterval(look);
        clearTimeout(late);
      });
    },
    close() {
      end('the thread is let go');
      session.close();
    },
  };
}
