import { defineKernel } from '@grace/kernel-sdk';
import { createRecorder } from './access/record.ts';
import { TOKEN_TABLE, TokenBook } from './access/token-book.ts';
import { TokenDesk } from './access/token-desk.ts';
import { JournalTail } from './events/journal-tail.ts';
import { Streams } from './events/streams.ts';
import { type Address, announce, listen, urlOf } from './http/address.ts';
import { openapiOf } from './http/openapi.ts';
import { createHttpServer, type HttpServer } from './http/server.ts';
import { OwnCounts } from './metrics/own-counts.ts';
import { createProbe } from './probe.ts';
import { kernelRoutes } from './routes/kernels.ts';
import { recordRoutes } from './routes/records.ts';
import { reportRoutes } from './routes/reports.ts';
import type { Route } from './routes/route.ts';
import { systemRoutes } from './routes/system.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { readSettings } from './settings.ts';
import { createSystemView } from './system-view.ts';
import { createVerbs } from './verbs.ts';

const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];

/** HTTP for the system: who holds a token sees what its role may see, and calls what its role may call. */
export default defineKernel({
  id: 'api_server',
  async start(ctx) {
    const settings = readSettings(ctx);
    ctx.store.migrate([TOKEN_TABLE]);
    const nowMs = (): number => Math.floor(ctx.clock.wallMs());
    const book = new TokenBook(ctx.store, nowMs, settings.limits.tokens);
    const counts = new OwnCounts();
    const view = createSystemView(ctx, settings);
    const record = createRecorder(ctx);
    const tail = new JournalTail(ctx, view);
    const streams = new Streams(settings, tail, book);
    const desk = new TokenDesk(book, record, nowMs, (id) => streams.end('the token was revoked', id));
    let http: HttpServer | undefined;
    let address: Address | undefined;
    let openapi: Promise<object> | undefined;
    const routes: Route[] = [];
    const describe = (): Promise<object> =>
      (openapi ??= openapiOf(routes, settings, address ? urlOf(address) : null).catch((error: unknown) => {
        openapi = undefined;
        throw error;
      }));
    routes.push(
      ...systemRoutes({
        view,
        settings,
        book,
        counts,
        load: () => ({ connections: http?.connections.count ?? 0, streams: streams.count }),
        openapi: describe,
      }),
      ...kernelRoutes(ctx, view, settings, record),
      ...recordRoutes(view, tail, streams),
      ...reportRoutes(settings),
      ...tokenRoutes(desk),
    );
    http = await createHttpServer({ ctx, settings, book, counts, routes });
    const { server, connections, drain } = http;
    address = await listen(ctx, server, settings.listen);
    const announced = announce(ctx, address);
    const url = urlOf(address);
    ctx.log.info('listening', { url, tokens: book.count });
    if (address.kind === 'port' && !LOOPBACK.includes(address.host))
      ctx.log.warn('listens beyond this machine without encryption: put a proxy with TLS before it', { url });

    return {
      verbs: createVerbs({
        routes,
        settings,
        desk,
        status: () => ({
          url,
          listening: server.listening,
          open: settings.open,
          connections: connections.count,
          evicted: connections.evicted,
          streams: streams.count,
          calls: view.calling,
          tokens: book.count,
        }),
      }),
      probe: createProbe(() => address!, book.probeToken),
      async drain() {
        announced.end();
        streams.end('the server is ending');
        await drain(settings.times.drainMs);
      },
    };
  },
});
