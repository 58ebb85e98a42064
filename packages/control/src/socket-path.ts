import { closeSync, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { GraceError } from '@grace/contracts';

/** Longest path the system takes for a Unix socket (sun_path, less its ending zero byte). */
export const MAX_SOCKET_PATH = process.platform === 'linux' ? 107 : 103;

/**
 * Runs `use` with a path that fits. A home may lie deep; on Linux a long path is reached through an open descriptor of its folder.
 * `done` must be called when listening or connecting has finished.
 * @throws GraceError `SOCKET_PATH` where there is no way
 */
export function shortSocketPath(path: string): { path: string; done: () => void } {
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH) return { path, done: () => {} };
  if (process.platform !== 'linux') {
    throw new GraceError('SOCKET_PATH', `${path} is longer than ${MAX_SOCKET_PATH} bytes; choose a shorter --home`, {
      path,
    });
  }
  const fd = openSync(dirname(path), 'r');
  let open = true;
  return {
    path: `/proc/self/fd/${fd}/${basename(path)}`,
    done: () => {
      if (open) closeSync(fd);
      open = false;
    },
  };
}
