import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { TokenBook } from '../access/token-book.ts';
import type { OwnCounts } from '../metrics/own-counts.ts';
import type { Asked, Route } from '../routes/route.ts';
import { Reply, TAKEN } from '../routes/route.ts';
import type { Settings } from '../settings.ts';
import { Connections } from './connections.ts';
import { Door } from './door.ts';
import { asGraceError, errorBody, parserError } from './errors.ts';
import { checkDepth } from './json.ts';
import { NO_COMPILERS } from './no-compilers.ts';
import { methodsOf } from './paths.ts';
import { checked } from './schema.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

export interface HttpParts {
  ctx: KernelContext;
  settings: Settings;
  book: TokenBook;
  counts: OwnCounts;
  routes: readonly Route[];
}

export interface HttpServer {
  readonly app: FastifyInstance;
  readonly server: Server;
  readonly connections: Connections;
  readonly door: Door;
  /** Resolves when every answer that was under way has gone out; with the deadline, the rest is cut off. */
  drain(deadlineMs: number): Promise<void>;
}

const UNKNOWN_ROUTE = 'none';
const JSON_TYPE = 'application/json; charset=utf-8';
/** How often Node looks for requests that take too long. */
const LOOK_MS = 1000;

export async function createHttpServer(parts: HttpParts): Promise<HttpServer> {
  const { ctx, settings, counts, routes } = parts;
  const { limits, times } = settings;
  let server: Server | undefined;
  let connections: Connections | undefined;
  const door = new Door(settings, parts.book, ctx.clock.monoMs);
  const app = fastify({
    logger: false,
    schemaController: NO_COMPILERS,
    serverFactory(handler) {
      server = createServer(
        {
          maxHeaderSize: limits.headerBytes,
          headersTimeout: times.headersMs,
          requestTimeout: times.requestMs,
          keepAliveTimeout: times.keepAliveMs,
          // Checked by us, so that who sends none is told so.
          requireHostHeader: false,
          connectionsCheckingInterval: Math.min(LOOK_MS, times.headersMs),
        },
        handler,
      );
      connections = new Connections(server, limits.connections);
      server.on('checkExpectation', refuseExpectation);
      return server;
    },
    bodyLimit: limits.bodyBytes,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 1000 },
    clientErrorHandler: (error, socket) => {
      counts.malformed++;
      answerRaw(error, socket as Socket, connections!);
    },
    frameworkErrors: (error, _request, reply) => sendError(reply, error),
  });

  app.removeAllContentTypeParsers();
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    try {
      checkDepth(body as string);
    } catch (error) {
      done(error as Error);
      return;
    }
    void parse(request, body as string, done);
  });

  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    if (request.raw.httpVersion === '1.1' && request.headers.host === undefined)
      throw new GraceError('API_MALFORMED', 'HTTP/1.1 wants a host header');
    const route = routes.find((one) => one.path === request.routeOptions.url && one.method === request.method);
    const { retryMs } = door.admit(request, route);
    if (retryMs === undefined) return;
    counts.refusedRate++;
    reply.header('retry-after', String(Math.ceil(retryMs / 1000)));
    throw new GraceError('API_RATE', `too many requests; there is room again in ${retryMs} ms`);
  });
  app.addHook('onSend', async (_, reply) => {
    if (door.isClosed) reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    counts.answered(request.routeOptions.url ?? UNKNOWN_ROUTE, request.method, reply.statusCode, reply.elapsedTime);
  });
  app.setErrorHandler((error, request, reply) => {
    const { status } = asGraceError(error);
    if (status === 500) {
      const { message, stack } = error as Error;
      ctx.log.error('a request failed', { route: request.routeOptions.url ?? UNKNOWN_ROUTE, error: message, stack });
    }
    sendError(reply, error);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0]!;
    const known = methodsOf(routes, path);
    if (known.length > 0) reply.header('allow', known.join(', '));
    throw known.length > 0
      ? new GraceError('API_METHOD', `${path} knows ${known.join(', ')}, not ${request.method}`)
      : new GraceError('NOT_FOUND', `there is no ${path.slice(0, 200)}; /openapi.json describes every route`);
  });
  for (const route of routes) {
    app.route({
      method: route.method,
      url: route.path,
      handler: async (request, reply) => await answer(route, request, reply, door),
    });
  }
  await app.ready();

  return {
    app,
    server: server!,
    connections: connections!,
    door,
    async drain(deadlineMs) {
      door.close();
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      // Takes no new connections, ends those that are idle, and calls back when the last is gone.
      server!.close(() => resolve());
      const timer = setTimeout(() => server!.closeAllConnections(), deadlineMs);
      await closed;
      clearTimeout(timer);
      await app.close();
    },
  };
}

async function answer(route: Route, request: FastifyRequest, reply: FastifyReply, door: Door): Promise<unknown> {
  const { body } = request;
  const asked: Asked = {
    params: route.params ? (checked(route.params, request.params, 'path', true) as Record<string, string>) : {},
    query: checked(route.query ?? { type: 'object' }, request.query, 'query', true) as Record<string, unknown>,
    body:
      route.body && (route.body.type !== undefined || body !== undefined) ? checked(route.body, body, 'body') : body,
    caller: door.caller(request),
    headers: request.headers,
    take() {
      reply.hijack();
      return reply.raw;
    },
  };
  const result = await route.handle(asked);
  if (result === TAKEN) return reply;
  if (result instanceof Reply) return await reply.code(result.status).headers(result.headers).send(result.body);
  return result;
}

function sendError(reply: FastifyReply, thrown: unknown): void {
  const { error, status } = asGraceError(thrown);
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="grace"');
  if (error.code === 'API_FULL') reply.header('retry-after', '1');
  // A body may still be on its way, and nobody wants to read it.
  if (!reply.request.raw.complete && reply.request.method !== 'GET') reply.header('connection', 'close');
  void reply.code(status).headers(SECURITY_HEADERS).type(JSON_TYPE).send(errorBody(error));
}

/** To an `expect` that is not `100-continue`; Node would answer it with nothing but a status. */
function refuseExpectation(_: IncomingMessage, response: ServerResponse): void {
  const error = new GraceError('API_MALFORMED', 'expect: only 100-continue can be met');
  const body = JSON.stringify(errorBody(error));
  const headers = { ...SECURITY_HEADERS, 'content-type': JSON_TYPE, connection: 'close' };
  response.writeHead(417, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** To what never became a request. When part of an answer is out already, only an end is left. */
function answerRaw(thrown: Error & { code?: string; reason?: string }, socket: Socket, connections: Connections): void {
  if (
    socket.destroyed ||
    !socket.writable ||
    thrown.code === 'ECONNRESET' ||
    connections.answering(socket)?.headersSent
  ) {
    socket.destroy();
    return;
  }
  const { error, status } = parserError(thrown.code, thrown.reason ?? thrown.message);
  const body = JSON.stringify(errorBody(error));
  const headers = {
    ...SECURITY_HEADERS,
    'content-type': JSON_TYPE,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const reasons: Record<number, string> = { 408: 'Request Timeout', 431: 'Request Header Fields Too Large' };
  socket.end(`HTTP/1.1 ${status} ${reasons[status] ?? 'Bad Request'}\r\n${lines.join('')}\r\n${body}`);
  // Who goes on sending must not keep the socket open.
  socket.destroySoon();
}
