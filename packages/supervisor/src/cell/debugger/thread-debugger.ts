import { GraceError, type StackFrame } from '@grace/contracts';
import { createSourceMaps } from '../../evidence/source-maps.ts';
import { type ThreadHandle, within } from '../thread-handle.ts';
import { type Attachment, attach, type CallFrame, type Pause } from './attachment.ts';
import { describeThread } from './native-state.ts';

/** Looks into the threads of this cell, and stops them for it. Never from inside: a stuck thread does not answer. */
export interface ThreadDebugger {
  /**
   * Where the thread is at this moment, outermost last, at most 50 frames; none while it waits for events.
   * @throws GraceError `DEADLINE` when it sits in native code: `details` say what the system knows of it; `KERNEL_GONE`
   */
  stackOf(thread: ThreadHandle, deadlineMs: number): Promise<{ frames: StackFrame[]; ms: number }>;
  /** Keeps the debugger of the thread enabled until the use ends. */
  use(thread: ThreadHandle): Promise<ThreadUse>;
  /**
   * Before a thread is ended: `terminate()` never returns from a paused one. It cannot be looked into from now on; a stack that is being
   * taken gets up to `FREE_MS` more, since afterwards nobody can say where the thread was. Resolves when the thread runs.
   */
  free(thread: ThreadHandle): Promise<void>;
  /** Lets every thread run. */
  stop(): void;
}

export interface ThreadUse {
  pause(deadlineMs: number): Promise<Pause | null>;
  /** The last to end it detaches; a thread in native code gets no late pause. */
  end(): void;
}

/** Taking a stack takes 30-50 ms in a thread that runs JavaScript, and several times that on a full machine; one in native code delays the end of its thread by this much, ms. */
const FREE_MS = 350;

interface Attached {
  attachment: Promise<Attachment>;
  /** Set as soon as it is there: to let go must not wait for anything. */
  live: Attachment | null;
  isOver: boolean;
  users: number;
}

export function createThreadDebugger(): ThreadDebugger {
  const attached = new Map<ThreadHandle, Attached>();
  const freed = new WeakSet<ThreadHandle>();
  /** Stacks that are being taken. */
  const looks = new Map<ThreadHandle, Promise<unknown>>();
  const sources = createSourceMaps();

  const detach = (thread: ThreadHandle, entry: Attached): void => {
    if (attached.get(thread) === entry) attached.delete(thread);
    entry.isOver = true;
    entry.live?.close();
  };

  const begin = async (thread: ThreadHandle, entry: Attached): Promise<Attachment> => {
    const live = await attach(thread, () => detach(thread, entry));
    entry.live = live;
    if (entry.isOver) live.close();
    return live;
  };

  const use = async (thread: ThreadHandle): Promise<ThreadUse> => {
    let entry = attached.get(thread);
    if (!entry) {
      if (freed.has(thread) || thread.worker.threadId === -1) throw ended(thread);
      entry = { attachment: Promise.reject(ended(thread)), live: null, isOver: false, users: 0 };
      entry.attachment.catch(() => {});
      entry.attachment = begin(thread, entry);
      attached.set(thread, entry);
    }
    const held = entry;
    held.users++;
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      if (--held.users === 0) detach(thread, held);
    };
    try {
      const attachment = await held.attachment;
      return { pause: (deadlineMs) => attachment.pause(deadlineMs), end };
    } catch (error) {
      end();
      throw error;
    }
  };

  const framesOf = async (thread: ThreadHandle, deadlineMs: number): Promise<CallFrame[]> => {
    const look = await use(thread);
    try {
      const pause = await look.pause(deadlineMs);
      pause?.end();
      return pause?.frames ?? [];
    } catch (error) {
      throw error instanceof GraceError && error.code === 'DEADLINE' ? native(thread, deadlineMs) : error;
    } finally {
      look.end();
    }
  };

  return {
    use,
    async stackOf(thread, deadlineMs) {
      const from = performance.now();
      const taken = framesOf(thread, deadlineMs);
      looks.set(thread, taken);
      const frames = await taken.finally(() => {
        if (looks.get(thread) === taken) looks.delete(thread);
      });
      const ms = Math.round((performance.now() - from) * 10) / 10;
      return { frames: await Promise.all(frames.map((frame) => mapped(frame))), ms };
    },
    async free(thread) {
      const taken = looks.get(thread);
      if (taken) await within(taken, FREE_MS, 'the stack was not taken').catch(() => {});
      freed.add(thread);
      const entry = attached.get(thread);
      if (entry) detach(thread, entry);
    },
    stop() {
      for (const [thread, entry] of attached) detach(thread, entry);
    },
  };

  async function mapped({ functionName, url, location }: CallFrame): Promise<StackFrame> {
    const place = await sources.locate(url, location.lineNumber + 1, location.columnNumber + 1);
    return { function: functionName, ...place, file: place.file === '' ? `script ${location.scriptId}` : place.file };
  }
}

function ended({ kernel }: ThreadHandle): GraceError {
  return new GraceError('KERNEL_GONE', `the thread of ${kernel} has ended`);
}

function native(thread: ThreadHandle, deadlineMs: number): GraceError {
  const seen = describeThread(thread.tid);
  return new GraceError(
    'DEADLINE',
    `the thread of ${thread.kernel} reached no JavaScript within ${Math.round(deadlineMs)} ms: ${seen?.says ?? 'the system does not tell what it does'}`,
    seen ? { state: seen.state, waitsIn: seen.waitsIn } : {},
  );
}
