import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { GraceError } from '@grace/contracts';
import { shortSocketPath } from '@grace/control';

/**
 * Listens on the control socket, for the owner alone. A socket file left by a supervisor that died is replaced: the lock of the home has
 * already told that nobody lives here.
 */
export async function listenControl(
  path: string,
  onConnection: (socket: Socket) => void,
): Promise<{ close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  rmSync(path, { force: true });
  const short = shortSocketPath(path);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', ({ code, message }: NodeJS.ErrnoException) =>
        reject(
          new GraceError(code === 'ENOSPC' ? 'STORAGE_FULL' : 'SOCKET_PATH', `cannot listen on ${path}: ${message}`),
        ),
      );
      server.listen(short.path, resolve);
    });
    chmodSync(path, 0o600);
  } finally {
    short.done();
  }
  return {
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroySoon();
        server.close(() => resolve());
        rmSync(path, { force: true });
      }),
  };
}
