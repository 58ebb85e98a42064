import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { GraceError } from '@grace/contracts';
import type { WebSocketServer } from 'ws';
import type { SessionBook } from '../sessions/session-book.ts';
import type { Turn } from '../sessions/turn.ts';
import { Connection, type ConnectionParts } from './connection.ts';
import { admit, PATH } from './entrance.ts';
import { CLOSE, PROTOCOL } from './messages.ts';

export interface DoorwayParts extends Omit<ConnectionParts, 'current'> {
  sessions: SessionBook;
}

const LAST_PORT = 'lastPort';
const HEADERS_MS = 5000;
/** Connections that are not upgraded yet, beside one for each session. */
const SPARE_CONNECTIONS = 16;

/** The WebSocket server. It and what it imports come with the first session that asks for it, and stay. */
export class Doorway {
  readonly #parts: DoorwayParts;
  readonly #connections = new Map<string, Connection>();
  #server: Server | undefined;
  #opening: Promise<string> | undefined;
  #url: string | null = null;
  #pings: NodeJS.Timeout | undefined;

  constructor(parts: DoorwayParts) {
    this.#parts = parts;
    parts.desk.onClosed = (session, why) => this.#connections.get(session)?.close(CLOSE.closed, why);
  }

  /** Null: it does not listen, because nobody has asked for it. */
  get url(): string | null {
    return this.#url;
  }

  get isListening(): boolean {
    return this.#server?.listening ?? false;
  }

  get connections(): number {
    return this.#connections.size;
  }

  tell(turn: Turn): void {
    this.#connections.get(turn.session)?.tell(turn);
  }

  /**
   * Listens, if it does not yet, and says where. At the port it had before, so that clients find it again after a restart.
   * @throws GraceError `VOICE_LISTEN` naming the address
   */
  open(): Promise<string> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** Says to everybody that it ends (1001); what does not go is cut off. */
  async close(): Promise<void> {
    await this.#opening?.catch(() => {});
    const { drainMs } = this.#parts.settings.times;
    for (const connection of this.#connections.values())
      connection.close(CLOSE.restarting, 'voice_conversation restarts');
    clearInterval(this.#pings);
    const server = this.#server;
    if (!server) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const late = setTimeout(() => server.closeAllConnections(), drainMs);
    server.close(() => resolve());
    await promise;
    clearTimeout(late);
  }

  async #open(): Promise<string> {
    const [{ createServer }, { WebSocketServer }] = await Promise.all([import('node:http'), import('ws')]);
    const { ctx, settings } = this.#parts;
    const { frameBytes, sessions } = settings.limits;
    const upgrades = new WebSocketServer({
      noServer: true,
      maxPayload: frameBytes,
      perMessageDeflate: false,
      handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
    });
    const server = createServer(
      { headersTimeout: HEADERS_MS, requestTimeout: HEADERS_MS, maxHeaderSize: 8192 },
      (_request, response) => void response.writeHead(426, { upgrade: 'websocket', connection: 'close' }).end(),
    );
    server.maxConnections = sessions + SPARE_CONNECTIONS;
    server.on('clientError', (_error, socket) => socket.destroy());
    server.on('upgrade', (request, socket, head) => this.#upgrade(upgrades, request, socket, head));
    const { host, port: wanted } = settings.listen;
    const last = wanted === 0 ? ctx.store.get<number>(LAST_PORT) : undefined;
    const port = await listen(server, host, last ?? wanted).catch((error: unknown) => {
      if (last === undefined) throw error;
      return listen(server, host, 0);
    });
    if (ctx.signal.aborted) server.close();
    if (wanted === 0 && port !== last) ctx.store.set(LAST_PORT, port);
    this.#server = server;
    this.#url = `ws://${host === '::1' ? '[::1]' : host}:${port}${PATH}`;
    ctx.log.info('listening', { url: this.#url });
    return this.#url;
  }

  #upgrade(upgrades: WebSocketServer, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const { ctx, settings, sessions } = this.#parts;
    const admission = ctx.signal.aborted
      ? ({ status: 503, why: 'voice_conversation is ending' } as const)
      : admit(request, settings.origins, sessions);
    if ('status' in admission) {
      ctx.log.debug('a connection was refused', { status: admission.status, why: admission.why });
      refuse(socket, admission.status, admission.why);
      return;
    }
    const { id } = admission.session;
    upgrades.handleUpgrade(request, socket, head, (upgraded) => {
      this.#connections.get(id)?.close(CLOSE.elsewhere, 'the session was taken over by another connection');
      const connection = new Connection(upgraded, id, {
        ...this.#parts,
        current: () => sessions.find(id),
      });
      this.#connections.set(id, connection);
      this.#pings ??= setInterval(() => this.#ping(), settings.times.pingMs);
      upgraded.on('close', () => {
        if (this.#connections.get(id) === connection) this.#connections.delete(id);
        if (this.#connections.size > 0) return;
        clearInterval(this.#pings);
        this.#pings = undefined;
      });
    });
  }

  #ping(): void {
    for (const connection of this.#connections.values()) connection.ping();
  }
}

function listen(server: Server, host: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const fail = (error: NodeJS.ErrnoException): void => {
    const why = error.code === 'EADDRINUSE' ? 'somebody else listens there' : error.message;
    reject(new GraceError('VOICE_LISTEN', `cannot listen on ${host}:${port}: ${why}`, { errno: error.code }));
  };
  server.once('error', fail);
  server.listen({ host, port, exclusive: true }, () => {
    server.off('error', fail);
    resolve((server.address() as AddressInfo).port);
  });
  return promise;
}

const NAMES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  503: 'Service Unavailable',
};

function refuse(socket: Duplex, status: keyof typeof NAMES, why: string): void {
  socket.end(
    `HTTP/1.1 ${status} ${NAMES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(why)}\r\n\r\n${why}`,
  );
  // Who does not close its side has no more to say here.
  setTimeout(() => socket.destroy(), 1000).unref();
}
