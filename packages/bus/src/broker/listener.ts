import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { type BusIdentity, GraceError, toWireError } from '@grace/contracts';
import { connectSocket, shortSocketPath, verifyBusToken } from '@grace/control';
import type { BrokerFrame, ClientFrame } from '../wire/frames.ts';
import { SocketWire } from '../wire/socket-wire.ts';
import type { Wire, WireHandlers } from '../wire/wire.ts';

const MAX_CONNECTIONS = 1024;
const HELLO_DEADLINE_MS = 5000;
const STALE_CHECK_MS = 1000;

/** Takes a wire whose token was valid and says what is to be done with its frames; the hello is the first of them. */
export type Welcome = (wire: Wire<ClientFrame, BrokerFrame>, identity: BusIdentity) => WireHandlers<ClientFrame>;

/** The broker's Unix socket, mode 0600. A wire is handed over when its first frame was a hello with a valid token. */
export class Listener {
  readonly #path: string;
  readonly #key: Uint8Array;
  readonly #welcome: Welcome;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(path: string, key: Uint8Array, welcome: Welcome) {
    this.#path = path;
    this.#key = key;
    this.#welcome = welcome;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws GraceError `CONFLICT` when another broker answers at the path, `SOCKET_PATH` when no socket can be made there */
  async listen(): Promise<void> {
    await this.#removeStale();
    const short = shortSocketPath(this.#path);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen(short.path, () => {
          this.#server.off('error', reject);
          resolve();
        });
      });
      chmodSync(this.#path, 0o600);
    } catch (error) {
      throw new GraceError('SOCKET_PATH', `cannot listen on ${this.#path}: ${(error as Error).message}`, {
        path: this.#path,
      });
    } finally {
      short.done();
    }
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    rmSync(this.#path, { force: true });
  }

  /** A socket file without a listener was left by a broker that was killed. */
  async #removeStale(): Promise<void> {
    const other = await connectSocket(this.#path, STALE_CHECK_MS).catch(() => undefined);
    if (other) {
      other.destroy();
      throw new GraceError('CONFLICT', `another broker listens on ${this.#path}`, { path: this.#path });
    }
    rmSync(this.#path, { force: true });
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const wire = new SocketWire<ClientFrame, BrokerFrame>(socket);
    let handlers: WireHandlers<ClientFrame> | undefined;
    const hurry = setTimeout(() => wire.close(), HELLO_DEADLINE_MS).unref();
    wire.open({
      onFrame: (frame) => {
        try {
          handlers ??= this.#welcome(wire, verifyBusToken(frame[0] === 'hello' ? frame[4] : undefined, this.#key));
        } catch (error) {
          wire.send(['refused', { ...toWireError(error), stack: '' }]);
          wire.close();
          return;
        }
        clearTimeout(hurry);
        handlers.onFrame(frame);
      },
      onClose: () => {
        clearTimeout(hurry);
        handlers?.onClose();
      },
    });
  }
}
