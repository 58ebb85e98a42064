import { existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { GraceError, HOME } from '@grace/contracts';
import { lives, type Owner, readOwner, thisProcess } from '@grace/control/owner';

export { lives, type Owner, readOwner, thisProcess } from '@grace/control/owner';

/** Others may win the same instant this often before it is said that the home is taken. */
const ATTEMPTS = 100;

/**
 * Takes the home for this process. A lock whose owner is dead is taken over, by exactly one of all that try at once.
 *
 * The lock is a hard link to a file that is whole before it gets its name, so nobody ever reads half an owner. Who wants to succeed a dead
 * owner must first hold the claim on that very owner (`<lock>.after-<pid>-<ticks>`, taken in the same way), and then find that owner still in
 * the lock: whoever held the claim before may have replaced it.
 * @throws GraceError `HOME_TAKEN` naming the owner's pid, `HOME_UNUSABLE` when the folder cannot be written, `STORAGE_FULL`
 */
export function lockHome(home: string): { release(): void } {
  const path = join(home, HOME.lock);
  const me = thisProcess();
  const mine = `${path}.${me.pid}-${me.startTicks}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    try {
      writeFileSync(mine, JSON.stringify(me), { mode: 0o600 });
      take(path, mine, home);
      tidy(path);
    } finally {
      rmSync(mine, { force: true });
    }
    return { release: () => release(path, me) };
  } catch (error) {
    if (error instanceof GraceError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const full = code === 'ENOSPC';
    throw new GraceError(full ? 'STORAGE_FULL' : 'HOME_UNUSABLE', `${home} cannot be used: ${message}`, { home });
  }
}

function take(path: string, mine: string, home: string): void {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (linked(mine, path)) return;
    const owner = ownerIn(path);
    if (!owner) continue;
    if (lives(owner)) throw taken(owner, home);
    if (succeeded(path, owner, mine, home)) return;
  }
  throw new GraceError('HOME_TAKEN', `other systems are starting in ${home} at this moment; try again`, { home });
}

/** Puts this process into the place of a dead owner, unless somebody else just did. */
function succeeded(path: string, dead: Owner, mine: string, home: string): boolean {
  const claim = `${path}.after-${dead.pid}-${dead.startTicks}`;
  // A claim whose holder died is succeeded in the same way.
  take(claim, mine, home);
  try {
    const now = ownerIn(path);
    if (now?.pid !== dead.pid || now.startTicks !== dead.startTicks) return false;
    const copy = `${mine}.new`;
    linkSync(mine, copy);
    renameSync(copy, path);
    return true;
  } finally {
    rmSync(claim, { force: true });
  }
}

/** Undefined when there is no file. One that names nobody, as a disk that lost its end may leave it, has a dead owner of its own. */
function ownerIn(path: string): Owner | undefined {
  return readOwner(path) ?? (existsSync(path) ? { pid: 0, startTicks: 'torn' } : undefined);
}

function linked(mine: string, path: string): boolean {
  try {
    linkSync(mine, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** What died on its way to the lock left files behind. They mean nothing any more: the lock names a living owner. */
function tidy(path: string): void {
  const prefix = `${basename(path)}.`;
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(prefix)) continue;
    const file = join(dirname(path), name);
    // A private file may not be whole yet, so its name says whose it is; a claim is named after the one to be succeeded.
    const [, pid, startTicks] = /^(\d+)-(\d*)(?:\.new)?$/.exec(name.slice(prefix.length)) ?? [];
    const owner = pid === undefined ? readOwner(file) : { pid: Number(pid), startTicks: startTicks! };
    if (!owner || !lives(owner)) rmSync(file, { force: true });
  }
}

function taken(owner: Owner, home: string): GraceError {
  return new GraceError(
    'HOME_TAKEN',
    `the system with pid ${owner.pid} runs in ${home}; stop it first (grace stop), or choose another --home`,
    { pid: owner.pid, home },
  );
}

function release(path: string, me: Owner): void {
  const owner = readOwner(path);
  if (owner?.pid === me.pid && owner.startTicks === me.startTicks) rmSync(path, { force: true });
}
