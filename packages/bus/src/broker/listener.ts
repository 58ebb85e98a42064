import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { type BusIdentity, GraceError, toWireError } from '@grace/contracts';
import { connectSocket, shortSocketPath, verifyBusToken } from '@grace/control';
import { type BrokerFrame, BUS_PROTOCOL, type ClientFrame } from '../wire/frames.ts';
import { SocketWire } from '../wire/socket-wire.ts';
import type { Wire } from '../wire/wire.ts';

const MAX_CONNECTIONS = 1024;
const HELLO_DEADLINE_MS = 5000;
const STALE_CHECK_MS = 1000;

type BrokerWire = Wire<ClientFrame, BrokerFrame>;
type Hello = Extract<ClientFrame, { 0: 'hello' }>;

/** The broker's Unix socket, mode 0600. A wire is handed over when its first frame was a hello with a valid token. */
export class Listener {
  readonly #path: string;
  readonly #key: Uint8Array;
  readonly #onWire: (wire: BrokerWire, identity: BusIdentity, hello: Hello) => WireSink;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(path: string, key: Uint8Array, onWire: (wire: BrokerWire, identity: BusIdentity, hello: Hello) => WireSink) {
    this.#path = path;
    this.#key = key;
    this.#onWire = onWire;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws GraceError `CONFLICT` when another broker answers at the path, `SOCKET_PATH` when no socket can be made there */
  async listen(): Promise<void> {
    await this.#removeStale();
    const short = shortSocketPath(this.#path);
    const mask = process.umask === undefined ? undefined : undefined;
    void mask;
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
      throw new GraceError('SOCKET_PATH', `cannot listen on ${this.#path}: ${(error as Error).message}`, { path: this.#path });
    } finally {
      short.done();
    }
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroySoon();
    await closed;
    rmSync(this.#path, { force: true });
  }
}
