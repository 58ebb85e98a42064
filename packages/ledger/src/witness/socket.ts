import { join } from 'node:path';

export const WITNESS_SOCKET = 'witness.sock';
/** Of `sockaddr_un`, without the closing zero. */
const PATH_BYTES_MAX = 107;

/** Where to reach the witness. Through its process when the path is too long for a socket: its working directory is the folder. */
export function socketPath(dir: string, pid: number): string {
  const path = join(dir, WITNESS_SOCKET);
  return Buffer.byteLength(path) <= PATH_BYTES_MAX ? path : `/proc/${pid}/cwd/${WITNESS_SOCKET}`;
}
