import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * The socket of a service manager: AF_UNIX, SOCK_DGRAM, credentials of each sender, and barriers that are answered by closing the
 * descriptor they carry. Node has no such sockets.
 */
const RECEIVER = `
import array, json, os, socket, struct, sys, threading
address, hold = sys.argv[1], sys.argv[2] == 'hold'
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
receiver.bind('\\0' + address[1:] if address.startswith('@') else address)
print('bound', flush=True)
def end_with_the_test():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=end_with_the_test, daemon=True).start()
while True:
    data, ancillary, _, _ = receiver.recvmsg(65536, 4096)
    pid = None
    for level, kind, value in ancillary:
        if kind == socket.SCM_CREDENTIALS:
            pid = struct.unpack('3i', value[:12])[0]
        elif kind == socket.SCM_RIGHTS and not hold:
            descriptors = array.array('i')
            descriptors.frombytes(value[:len(value) - len(value) % descriptors.itemsize])
            for descriptor in descriptors:
                os.close(descriptor)
    print(json.dumps({'pid': pid, 'text': data.decode()}), flush=True)
`;

export interface Notification {
  /** Monotonic, ms. */
  atMs: number;
  /** The sender, as the kernel tells it. */
  pid: number;
  values: Record<string, string>;
}

export interface NotifySocket {
  /** For NOTIFY_SOCKET. */
  readonly address: string;
  /** In order; barriers are left out. */
  readonly messages: readonly Notification[];
  close(): Promise<void>;
}

/** Why tests that need it are skipped; false where they can run. */
export const noServiceManager: string | false = !runs('systemd-notify', '--version')
  ? 'systemd-notify is not installed'
  : !runs('python3', '--version') && 'python3 is not installed';

/** `holdBarriers`: a manager that has taken a message but does not go on. */
export async function openNotifySocket(
  options: { abstract?: boolean; holdBarriers?: boolean } = {},
): Promise<NotifySocket> {
  const dir = mkdtempSync(join(tmpdir(), 'grace-notify-'));
  const address = options.abstract ? `@${dir}` : join(dir, 'notify');
  const child = spawn('python3', ['-c', RECEIVER, address, options.holdBarriers ? 'hold' : 'answer'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const messages: Notification[] = [];
  const bound = Promise.withResolvers<void>();
  void ended.then(() => bound.reject(new Error('the notify socket ended')));
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'bound') {
      bound.resolve();
      return;
    }
    const { pid, text } = JSON.parse(line) as { pid: number; text: string };
    const values = Object.fromEntries(text.split('\n').map((assignment) => assignment.split(/=(.*)/s, 2)));
    if (!('BARRIER' in values)) messages.push({ atMs: performance.now(), pid, values });
  });
  await bound.promise;
  return {
    address,
    messages,
    async close() {
      child.stdin.end();
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function runs(program: string, argument: string): boolean {
  return spawnSync(program, [argument], { stdio: 'ignore', timeout: 10_000 }).status === 0;
}
