import { execFile } from 'node:child_process';

/** Sends one message; rejects when the program is missing, fails, or takes too long. */
export type SendMessage = (assignments: readonly string[], deadlineMs: number) => Promise<void>;

/**
 * Messages to the service manager through the host's `systemd-notify`: Node has no datagram Unix sockets. It waits until the manager has
 * taken the message (without `--no-block`): a message of a process that is gone already cannot be assigned to its unit any more.
 * `socket`: path, or `@name` for an abstract one; the program knows both.
 */
export function notifyProgram(socket: string, path: string | undefined): SendMessage {
  const env = { NOTIFY_SOCKET: socket, ...(path === undefined ? {} : { PATH: path }) };
  return (assignments, deadlineMs) =>
    new Promise((resolve, reject) => {
      execFile(
        'systemd-notify',
        [...assignments],
        { env, timeout: deadlineMs, killSignal: 'SIGKILL', maxBuffer: 10_000, windowsHide: true },
        (error, _, stderr) => {
          if (!error) resolve();
          else if (error.killed) reject(new Error(`systemd-notify did not end within ${deadlineMs} ms`));
          else
            reject(
              new Error(stderr.trim() === '' ? error.message : `systemd-notify: ${stderr.trim()}`, { cause: error }),
            );
        },
      );
    });
}
