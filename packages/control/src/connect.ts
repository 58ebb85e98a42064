import { createConnection, type Socket } from 'node:net';
import { GraceError } from '@grace/contracts';
import { shortSocketPath } from './socket-path.ts';

/**
 * Connects to a Unix socket.
 * @throws GraceError `NOT_RUNNING` when nobody listens there, `DEADLINE` after `deadlineMs`
 */
export function connectSocket(path: string, deadlineMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const short = reach(path);
    const socket = createConnection(short.path);
    const finish = (error?: GraceError): void => {
      clearTimeout(timer);
      short.done();
      socket.off('connect', onConnect);
      socket.off('error', onError);
      if (!error) {
        resolve(socket);
        return;
      }
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    const onConnect = (): void => finish();
    const onError = (error: NodeJS.ErrnoException): void => {
      const nobody = ['ENOENT', 'ENOTDIR', 'ECONNREFUSED'].includes(error.code ?? '');
      finish(
        new GraceError(nobody ? 'NOT_RUNNING' : 'CONNECTION_CLOSED', `cannot connect to ${path}: ${error.message}`, {
          path,
          errno: error.code,
        }),
      );
    };
    const timer = setTimeout(
      () => finish(new GraceError('DEADLINE', `no connection to ${path} within ${deadlineMs} ms`)),
      deadlineMs,
    );
    socket.once('connect', onConnect);
    socket.once('error', onError);
  });
}

/** A long path is reached through its folder, and where there is no folder nobody listens. */
function reach(path: string): ReturnType<typeof shortSocketPath> {
  try {
    return shortSocketPath(path);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    throw new GraceError('NOT_RUNNING', `cannot connect to ${path}: ${(error as Error).message}`, {
      path,
      errno: (error as NodeJS.ErrnoException).code,
    });
  }
}
