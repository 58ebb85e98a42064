import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GraceError, HOME, type ProfileKind } from '@grace/contracts';
import { statisticsFile } from '../../evidence/folder.ts';
import { createSourceMaps } from '../../evidence/source-maps.ts';
import { type ThreadHandle, within } from '../thread-handle.ts';
import { type CpuProfile, cpuShares, type FunctionShare, type HeapProfile, heapShares } from './profile-shares.ts';
import { openWorkerSession } from './worker-session.ts';

export interface ProfileOrder {
  kind: ProfileKind;
  durationMs: number;
  /** Absolute; written with mode 0600. */
  file: string;
}

export interface Profiles {
  /**
   * Records what the thread does for `durationMs` and writes it in the form browser developer tools open: `.cpuprofile`, `.heapprofile`.
   * Beside a heap profile lies `<file>.statistics.json`: sizes of the whole heap and of Buffers outside it, when the profile ended.
   * `top`: the functions that burnt the most time themselves, or allocated the most that still lives, as the author named and placed them.
   * @throws GraceError `DEADLINE` when the thread sits in native code, `KERNEL_GONE`, `CONFLICT` when it is profiled already, `BAD_INPUT`, `TOO_LARGE`
   */
  record(thread: ThreadHandle, order: ProfileOrder): Promise<{ file: string; bytes: number; top: string[] }>;
}

const MAX_DURATION_MS = 60_000;
/** A profiler starts in 20-50 ms and gives its profile in a few, in a thread that runs JavaScript or waits for events. */
const ANSWER_MS = 5000;
const MAX_SAMPLES = 10_000;
/** One sample of this many allocated bytes. V8's own default is 512 KiB, which misses a slow leak. */
const HEAP_SAMPLE_BYTES = 64 * 1024;
const MAX_BYTES = 32e6;
const TOP = 10;

interface Recording {
  stop(): Promise<string>;
}

/** `home`: files are written into its evidence folder and nowhere else. `answerMs`: how long a thread may take to begin and to end. */
export function createProfiles(home: string, answerMs = ANSWER_MS): Profiles {
  const busy = new Set<ThreadHandle>();
  const sources = createSourceMaps();

  const start = async (thread: ThreadHandle, kind: ProfileKind, durationMs: number): Promise<Recording> => {
    const { worker } = thread;
    if (kind === 'heap') return await worker.startHeapProfile({ sampleInterval: HEAP_SAMPLE_BYTES, stackDepth: 32 });
    const sampleInterval = Math.max(1, Math.ceil(durationMs / MAX_SAMPLES));
    const recording = await worker.startCpuProfile({ sampleInterval });
    // A profile without it is less exact, and still one.
    await compileAnew(thread).catch(() => {});
    return recording;
  };

  const describe = async ({ name, url, line, column, share, bytes }: FunctionShare): Promise<string> => {
    const place = await sources.locate(url, line, column);
    const size = bytes === undefined ? '' : ` (${Math.round(bytes / 1024)} KiB)`;
    return `${Math.round(share * 100)} %${size} ${name}${url === '' ? '' : ` ${place.file}:${place.line}`}`;
  };

  const recorded = async (thread: ThreadHandle, { kind, durationMs }: ProfileOrder): Promise<string> => {
    const gone = new AbortController();
    const ended = new GraceError('KERNEL_GONE', `the thread of ${thread.kernel} ended while it was profiled`);
    const exit = once(thread.worker, 'exit', { signal: gone.signal }).then(
      () => Promise.reject(ended),
      () => Promise.reject(ended),
    );
    exit.catch(() => {});
    const starting = start(thread, kind, durationMs);
    let recording: Recording | undefined;
    try {
      recording = await Promise.race([within(starting, answerMs, `${thread.kernel} started no profile`), exit]);
      await Promise.race([sleep(durationMs, undefined, { signal: gone.signal }), exit]);
      return await Promise.race([within(recording.stop(), answerMs, `${thread.kernel} gave no profile`), exit]);
    } catch (error) {
      // A profiler that starts late must not run on.
      if (!recording) starting.then((late) => late.stop()).catch(() => {});
      throw error;
    } finally {
      gone.abort();
    }
  };

  return {
    async record(thread, order) {
      const { kind, durationMs, file } = order;
      if (!(durationMs > 0 && durationMs <= MAX_DURATION_MS))
        throw new GraceError(
          'BAD_INPUT',
          `durationMs is ${durationMs}; expected more than 0, at most ${MAX_DURATION_MS}`,
        );
      if (!resolve(file).startsWith(`${join(home, HOME.evidence)}${sep}`))
        throw new GraceError('BAD_INPUT', `${file} is not in the evidence folder of ${home}`);
      if (thread.worker.threadId === -1)
        throw new GraceError('KERNEL_GONE', `the thread of ${thread.kernel} has ended`);
      if (busy.has(thread)) throw new GraceError('CONFLICT', `${thread.kernel} is being profiled already`);
      busy.add(thread);
      try {
        const text = await recorded(thread, order);
        const bytes = Buffer.byteLength(text);
        if (bytes > MAX_BYTES)
          throw new GraceError(
            'TOO_LARGE',
            `the profile has ${bytes} bytes; at most ${MAX_BYTES} are kept. Profile for a shorter time`,
          );
        const shares =
          kind === 'cpu' ? cpuShares(JSON.parse(text) as CpuProfile) : heapShares(JSON.parse(text) as HeapProfile);
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        await writeFile(file, text, { mode: 0o600 });
        if (kind === 'heap') await writeFile(statisticsFile(file), await statistics(thread), { mode: 0o600 });
        return { file, bytes, top: await Promise.all(shares.slice(0, TOP).map(describe)) };
      } finally {
        busy.delete(thread);
      }
    },
  };
}

async function statistics(thread: ThreadHandle): Promise<string> {
  const figures = await within(
    thread.worker.getHeapStatistics(),
    ANSWER_MS,
    `${thread.kernel} gave no heap statistics`,
  );
  return `${JSON.stringify(figures, null, 2)}\n`;
}

/**
 * The profiler does not know a loop that was optimised while it ran before the profile began, which is what a spinning thread is: its time
 * would count as its caller's. Beginning to count calls throws optimised code away; it is compiled again under the profiler's eyes.
 */
async function compileAnew(thread: ThreadHandle): Promise<void> {
  const session = await openWorkerSession(thread, { onEvent: () => {}, onEnd: () => {} });
  try {
    await session.send('Profiler.enable');
    await session.send('Profiler.startPreciseCoverage', { callCount: false, detailed: false });
    await session.send('Profiler.stopPreciseCoverage');
  } finally {
    session.close();
  }
}
