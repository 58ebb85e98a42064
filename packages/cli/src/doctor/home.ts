import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { shortSocketPath } from '@grace/control';
import { showBytes } from '../output/figures.ts';
import { attempt, type Finding } from './finding.ts';

/** Whether a home can live where it is meant to: a folder, a socket, a database, room. */
export async function homeFindings(home: string): Promise<Finding[]> {
  const ground = existing(home);
  let trial: string | undefined;
  try {
    const folder = await attempt(
      'home',
      'home can be written',
      () => {
        trial = mkdtempSync(join(ground, '.grace-doctor-'));
        const { bavail, bsize } = statfsSync(trial);
        return `${ground}, ${showBytes(bavail * bsize)} free`;
      },
      true,
    );
    if (trial === undefined) return [folder];
    const within = trial;
    return [
      folder,
      await attempt('socket', 'Unix socket in the home', () => listenOnce(join(within, 'control.sock')), true),
      await attempt(
        'sqlite',
        'SQLite with write-ahead log in the home',
        () => writeOnce(join(within, 'store.sqlite')),
        true,
      ),
    ];
  } finally {
    if (trial !== undefined) rmSync(trial, { recursive: true, force: true });
  }
}

/** The home itself, or the nearest folder above it that is there. */
function existing(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existing(dirname(path));
}

async function listenOnce(path: string): Promise<string> {
  const short = shortSocketPath(path);
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(short.path, resolve));
  } finally {
    short.done();
    server.close();
  }
  return `paths of ${Buffer.byteLength(path)} bytes work`;
}

function writeOnce(path: string): string {
  const db = new DatabaseSync(path);
  try {
    const { journal_mode: mode } = db.prepare('PRAGMA journal_mode = WAL').get() as { journal_mode: string };
    if (mode !== 'wal') throw new Error(`this file system gives the journal mode "${mode}" only`);
    db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)');
    const { version } = db.prepare('SELECT sqlite_version() AS version').get() as { version: string };
    return `SQLite ${version}`;
  } finally {
    db.close();
  }
}
