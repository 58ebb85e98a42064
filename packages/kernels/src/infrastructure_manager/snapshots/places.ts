import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { GraceError } from '@grace/contracts';

/** `state`: what a kernel keeps; `config`: files of the configuration; `artefact`: what was registered, such as a model. */
export type Group = 'state' | 'config' | 'artefact';

/** A file, or a folder with all below it, that snapshots hold. */
export interface Place {
  group: Group;
  /** The kernel, or the name it was registered under. */
  name: string;
  /** Absolute. */
  path: string;
}

export interface Found {
  /** `<group>/<name>`, and `/<path below it>` where the place is a folder. */
  item: string;
  place: Place;
  path: string;
  bytes: number;
}

export interface Skipped {
  item: string;
  why: string;
}

const DEPTH_MAX = 12;

/** Beside databases while they are open, keys, sockets' places, and what ends with a process: none of it may come back. */
const LEFT_OUT = /(?:-wal|-shm|-journal|\.key|\.lock|\.sock|\.tmp|\.part)$|^(?:api\.json|key)$/;

/**
 * Kernels whose state is not copied. The audit record and its witness are kept apart so that nobody can roll them back; they have a mirror and
 * a repair of their own. The broker keeps its queues to itself, and old ones would be delivered again. Runs of the sandbox end with it. The own
 * store holds samples, and is always in use.
 */
export const NEVER: readonly string[] = [
  'immutable_log',
  'immutable_log-witness',
  'message_bus',
  'sandbox',
  'infrastructure_manager',
];

/** Places named by configuration; names that come twice get a number. */
export function namedPlaces(group: Group, given: readonly { name?: string; path: string }[]): Place[] {
  const taken = new Set<string>();
  return given.map(({ name, path }) => {
    const wanted = name ?? basename(path).replaceAll(/[^A-Za-z0-9_.-]/g, '_');
    let free = wanted;
    for (let i = 2; taken.has(free); i++) free = `${wanted}-${i}`;
    taken.add(free);
    return { group, name: free, path };
  });
}

/** One place for each kernel that has state, by the folders there are. */
export async function statePlaces(stateRoot: string): Promise<Place[]> {
  const entries = await readdir(stateRoot, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && !NEVER.includes(entry.name))
    .map(({ name }): Place => ({ group: 'state', name, path: join(stateRoot, name) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Every regular file of a place, in order of its path. Links are never followed, not even those that stay inside. */
export async function walk(place: Place, filesMax: number): Promise<{ found: Found[]; skipped: Skipped[] }> {
  const found: Found[] = [];
  const skipped: Skipped[] = [];
  const visit = async (path: string, depth: number): Promise<void> => {
    const item = itemOf(place, path);
    const stat = await lstat(path).catch(() => undefined);
    if (!stat) return;
    if (stat.isSymbolicLink()) skipped.push({ item, why: 'it is a link, and links are not followed' });
    else if (stat.isFile()) {
      if (found.length >= filesMax) throw new GraceError('TOO_LARGE', `${item}: more than ${filesMax} files`);
      found.push({ item, place, path, bytes: stat.size });
    } else if (stat.isDirectory()) {
      if (depth >= DEPTH_MAX) {
        skipped.push({ item, why: `it lies deeper than ${DEPTH_MAX} folders` });
        return;
      }
      for (const name of (await readdir(path)).sort()) {
        if (place.group === 'state' && LEFT_OUT.test(name)) continue;
        if (!/^(?:\.git|node_modules)$|\.restoring$/.test(name)) await visit(join(path, name), depth + 1);
      }
    }
  };
  await visit(place.path, 0);
  return { found, skipped };
}

/** Opens a file of a place for reading, only where no part of the way to it leads out of the place. */
export async function openInside(place: Place, path: string): Promise<FileHandle> {
  await refuseOutside(place, path);
  return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/**
 * @throws GraceError `FORBIDDEN` when the path, or what a folder on the way is linked to, lies outside the place
 */
export async function refuseOutside(place: Place, path: string): Promise<void> {
  const outside = (why: string): GraceError =>
    new GraceError('FORBIDDEN', `${itemOf(place, path)}: ${why}`, { path, place: place.path });
  const below = relative(place.path, path);
  if (below === '..' || below.startsWith(`..${sep}`)) throw outside('the path leads out of its place');
  const stat = await lstat(path).catch(() => undefined);
  if (stat && !stat.isFile()) throw outside('it is no regular file');
  // Of a place that is a file the folder is where it was registered, whatever that is linked to.
  if (below === '') return;
  const [root, folder] = await Promise.all([realpath(place.path), realpath(await nearest(dirname(path)))]);
  if (folder !== root && !folder.startsWith(`${root}${sep}`)) throw outside('a folder on the way is a link out');
}

/** Where a restore may have to make folders: the nearest one that is there. */
async function nearest(path: string): Promise<string> {
  const stat = await lstat(path).catch(() => undefined);
  return stat ? path : nearest(dirname(path));
}

function itemOf({ group, name, path: root }: Place, path: string): string {
  const below = relative(root, path).split(sep).join('/');
  return below === '' ? `${group}/${name}` : `${group}/${name}/${below}`;
}

/** The path of an item in a place that is there now. */
export function pathOf(place: Place, item: string): string {
  const head = `${place.group}/${place.name}`;
  return item === head ? place.path : join(place.path, item.slice(head.length + 1));
}
