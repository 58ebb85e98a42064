import { isAbsolute } from 'node:path';
import { GraceError } from '@grace/contracts';
import { is, type KernelContext, readInput } from '@grace/kernel-sdk';
import type { Rate } from './http/buckets.ts';

export type Listen = { kind: 'port'; host: string; port: number } | { kind: 'socket'; path: string };

/** Paths that may be opened to callers without a token. */
export const OPENABLE = ['/healthz', '/readyz', '/metrics', '/openapi.json'] as const;

export interface Settings {
  listen: Listen;
  open: readonly string[];
  /** Folders of reports, absolute. */
  reports: readonly string[];
  /** Principals that give and take tokens by the verb `tokens`. */
  owners: readonly string[];
  /** Kernels without which the system still counts as ready. */
  readyWithout: readonly string[];
  /** Whether governance is asked before a verb that acts; `false` for systems that run without it. */
  governance: boolean;
  /** `token` and `address`: requests; `refused`: requests of one address without a valid token. */
  rates: { token: Rate; address: Rate; refused: Rate };
  limits: {
    bodyBytes: number;
    headerBytes: number;
    connections: number;
    /** Verb calls under way. */
    calls: number;
    streams: number;
    streamsPerToken: number;
    tokens: number;
  };
  times: {
    /** Until the headers of a request are there, and until all of it is. */
    headersMs: number;
    requestMs: number;
    keepAliveMs: number;
    /** A verb without a deadline of its own. */
    callMs: number;
    /** Between two signs of life on an event stream that has nothing to say. */
    heartbeatMs: number;
    /** A stream whose reader takes nothing for so long is ended. */
    stallMs: number;
    /** What runs at a drain gets so long. */
    drainMs: number;
  };
}

const whole = (min: number, max: number) => is.optional(is.number({ min, max, integer: true }));
const path = is.string({ max: 4096 });
const rate = is.optional(is.record());

/** @throws GraceError `CONFIG_INVALID` naming the key and what was expected */
export function readSettings({ config }: Pick<KernelContext, 'config'>): Settings {
  try {
    return read(config);
  } catch (error) {
    if (!(error instanceof GraceError)) throw error;
    throw new GraceError(
      'CONFIG_INVALID',
      error.message.replaceAll('input.', 'kernels.api_server.config.').replace('of this verb', 'of this kernel'),
      error.details,
    );
  }
}

function read(config: Readonly<Record<string, unknown>>): Settings {
  const given = readInput(config, {
    listen: is.optional(is.record()),
    open: is.optional(is.array(is.oneOf(OPENABLE), { max: OPENABLE.length })),
    reports: is.optional(is.array(path, { max: 20 })),
    owners: is.optional(is.array(is.string({ max: 100 }), { max: 20 })),
    readyWithout: is.optional(is.array(is.string({ max: 64 }), { max: 1000 })),
    governance: is.optional(is.boolean()),
    rates: rate,
    limits: rate,
    times: rate,
  });
  const rates = readInput(given.rates, { token: rate, address: rate, refused: rate });
  const limits = readInput(given.limits, {
    bodyBytes: whole(1024, 8e6),
    headerBytes: whole(1024, 256 * 1024),
    connections: whole(4, 10_000),
    calls: whole(1, 80),
    streams: whole(1, 5000),
    streamsPerToken: whole(1, 5000),
    tokens: whole(1, 10_000),
  });
  const span = whole(10, 600_000);
  const times = readInput(given.times, {
    headersMs: span,
    requestMs: span,
    keepAliveMs: span,
    callMs: whole(10, 25_000),
    heartbeatMs: span,
    stallMs: span,
    drainMs: whole(10, 4500),
  });
  const reports = given.reports ?? [];
  const relative = reports.find((folder) => !isAbsolute(folder));
  if (relative !== undefined)
    throw new GraceError('BAD_INPUT', `input.reports: expected absolute folders, got ${JSON.stringify(relative)}`);
  const requestMs = times.requestMs ?? 15_000;
  const connections = limits.connections ?? 256;
  return {
    listen: readListen(given.listen),
    open: given.open ?? ['/healthz', '/readyz'],
    reports,
    owners: given.owners ?? ['cli'],
    readyWithout: given.readyWithout ?? [],
    governance: given.governance ?? true,
    rates: {
      token: readRate(rates.token, 'token', { perSecond: 100, burst: 400 }),
      address: readRate(rates.address, 'address', { perSecond: 300, burst: 1200 }),
      refused: readRate(rates.refused, 'refused', { perSecond: 1, burst: 20 }),
    },
    limits: {
      bodyBytes: limits.bodyBytes ?? 512 * 1024,
      headerBytes: limits.headerBytes ?? 16 * 1024,
      connections,
      calls: limits.calls ?? 32,
      streams: limits.streams ?? Math.min(64, Math.floor(connections / 2)),
      streamsPerToken: limits.streamsPerToken ?? 8,
      tokens: limits.tokens ?? 1000,
    },
    times: {
      headersMs: Math.min(times.headersMs ?? 10_000, requestMs),
      requestMs,
      keepAliveMs: times.keepAliveMs ?? 5000,
      callMs: times.callMs ?? 10_000,
      heartbeatMs: times.heartbeatMs ?? 15_000,
      stallMs: times.stallMs ?? 30_000,
      drainMs: times.drainMs ?? 3000,
    },
  };
}

function readListen(listen: Record<string, unknown> | undefined): Listen {
  const { host, port, socket } = readInput(listen, {
    host: is.optional(is.string({ max: 255, pattern: /^[0-9A-Za-z.:_-]+$/, what: 'an address or host name' })),
    port: whole(0, 65_535),
    socket: is.optional(path),
  });
  if (socket === undefined) return { kind: 'port', host: host ?? '127.0.0.1', port: port ?? 0 };
  if (host !== undefined || port !== undefined)
    throw new GraceError('BAD_INPUT', 'input.listen: expected host and port, or a socket, not both');
  if (!isAbsolute(socket) || Buffer.byteLength(socket) > 100)
    throw new GraceError('BAD_INPUT', 'input.listen.socket: expected an absolute path of at most 100 bytes');
  return { kind: 'socket', path: socket };
}

function readRate(given: Record<string, unknown> | undefined, name: string, otherwise: Rate): Rate {
  const { perSecond, burst } = readInput(given, {
    perSecond: is.optional(is.number({ min: 0.01, max: 1e6 })),
    burst: whole(1, 1e6),
  });
  if (given !== undefined && perSecond === undefined)
    throw new GraceError('BAD_INPUT', `input.rates.${name}: expected perSecond, and burst if you like`);
  return perSecond === undefined ? otherwise : { perSecond, burst: burst ?? Math.ceil(perSecond * 4) };
}
