import { readlinkSync } from 'node:fs';
import { open, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { GraceError } from '@grace/contracts';

/**
 * One writer per folder. An owner is a thread, not a process: a kernel's thread may be ended and replaced while its process lives. Its
 * lock is an empty file whose name says who it is: process, thread, when that thread started, and in which boot of the machine. A name is
 * never used twice, so removing the lock of a dead owner races with nobody.
 *
 * Taking it: announce yourself, then look. Of two who try at once, whoever looks last sees the other; both may give way, never may both stay.
 * Where there is no /proc, a thread cannot be told from its process, and the lock ends with the process.
 */
export interface WriterLock {
  release(): Promise<void>;
}

interface Owner {
  pid: number;
  tid: number;
  /** Clock ticks since the boot. */
  started: string;
  boot: string;
}

const LOCK = /^writer-(\d+)-(\d+)-(\w+)-(\w+)\.lock$/;

export async function lockFolder(dir: string): Promise<WriterLock> {
  const me = await self();
  const mine = join(dir, lockName(me));
  try {
    await (await open(mine, 'wx', 0o600)).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw taken(dir, me);
    throw error;
  }
  const release = () => unlink(mine).catch(ignoreMissing);
  try {
    for (const owner of await owners(dir)) {
      if (lockName(owner) === lockName(me)) continue;
      if (await isAlive(owner)) throw taken(dir, owner);
      await unlink(join(dir, lockName(owner))).catch(ignoreMissing);
    }
  } catch (error) {
    await release();
    throw error;
  }
  return { release };
}

/** Whether some living thread holds the folder at this moment. */
export async function hasWriter(dir: string): Promise<boolean> {
  for (const owner of await owners(dir)) if (await isAlive(owner)) return true;
  return false;
}

async function owners(dir: string): Promise<Owner[]> {
  return (await readdir(dir)).flatMap((name) => {
    const match = LOCK.exec(name);
    return match ? [{ pid: Number(match[1]), tid: Number(match[2]), started: match[3]!, boot: match[4]! }] : [];
  });
}

const lockName = (owner: Owner): string => `writer-${owner.pid}-${owner.tid}-${owner.started}-${owner.boot}.lock`;

async function self(): Promise<Owner> {
  const thread = callingThread();
  const started = thread && (await startOf(thread.pid, thread.tid));
  if (!started) return { pid: process.pid, tid: threadId, started: 'unknown', boot: 'unknown' };
  return { ...thread, started, boot: await bootOfMachine() };
}

/** Synchronous on purpose: an asynchronous read would name a thread of the pool. */
function callingThread(): { pid: number; tid: number } | null {
  try {
    const [pid, , tid] = readlinkSync('/proc/thread-self').split('/');
    return { pid: Number(pid), tid: Number(tid) };
  } catch {
    return null;
  }
}

async function isAlive(owner: Owner): Promise<boolean> {
  if (owner.started === 'unknown') return processExists(owner.pid);
  if (owner.boot !== (await bootOfMachine())) return false;
  return (await startOf(owner.pid, owner.tid)) === owner.started;
}

/** When the thread started; null when there is none, or only its remains. */
async function startOf(pid: number, tid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/task/${tid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  // The name in brackets may hold anything; after it come the state (field 3) and, 19 fields on, the start time (field 22).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}

async function bootOfMachine(): Promise<string> {
  const id = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'unknown');
  return id.replaceAll('-', '').trim().slice(0, 12);
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function taken(dir: string, owner: Owner): GraceError {
  return new GraceError(
    'CONFLICT',
    `${dir} has a writer already: process ${owner.pid}, thread ${owner.tid}. A ledger has one writer; readers need none.`,
    { dir, pid: owner.pid, tid: owner.tid },
  );
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
