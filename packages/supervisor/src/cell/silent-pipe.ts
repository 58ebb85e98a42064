import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GraceError } from '@grace/contracts';

/** A named pipe into which nobody writes: a thread of this process that reads from it sits in native code until it is released. */
export interface SilentPipe {
  /** Valid in every thread of this process. */
  readonly fd: number;
  /** Answers the reader, also one that comes only now. */
  release(): void;
}

const MKFIFO_DEADLINE_MS = 2000;
/** A reader that comes late still finds the pipe for this long after the release, ms. */
const LINGER_MS = 1000;

/**
 * Its name is gone from the disk before anybody reads, and the end of the process is the end of the pipe: nothing can be left behind, however
 * the process ends.
 * @throws GraceError `FAULT_TARGET` where there is no mkfifo
 */
export function openSilentPipe(): SilentPipe {
  const folder = mkdtempSync(join(tmpdir(), 'grace-pipe-'));
  try {
    const path = join(folder, 'fifo');
    execFileSync('mkfifo', ['-m', '600', path], { timeout: MKFIFO_DEADLINE_MS, stdio: 'ignore' });
    // For reading and writing: opening waits for nobody, and since a writer is there, reading waits for ever.
    const fd = openSync(path, constants.O_RDWR);
    return {
      fd,
      release() {
        writeSync(fd, '.');
        setTimeout(() => closeSync(fd), LINGER_MS).unref();
      },
    };
  } catch (error) {
    throw new GraceError('FAULT_TARGET', `no pipe could be made to read from: ${(error as Error).message}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
