import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { lstat, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { type AddressInfo, connect, isIPv6 } from 'node:net';
import { basename, join } from 'node:path';
import { GraceError, HOME } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Listen } from '../settings.ts';

/** Where the server listens. */
export type Address = { kind: 'port'; host: string; port: number } | { kind: 'socket'; path: string };

const LAST_PORT = 'lastPort';
const DIAL_MS = 500;

/**
 * Listens at the configured address. Without a port it takes the one it had before if that is free, so that clients find a restarted server
 * where it was, else any.
 * @throws GraceError `API_LISTEN` naming the address
 */
export async function listen(ctx: KernelContext, server: Server, wanted: Listen): Promise<Address> {
  if (wanted.kind === 'socket') {
    await removeStale(wanted.path);
    await bound(server, { path: wanted.path }, wanted.path);
    chmodSync(wanted.path, 0o600);
    return wanted;
  }
  const { host } = wanted;
  const last = wanted.port === 0 ? ctx.store.get<number>(LAST_PORT) : undefined;
  const port = await bound(server, { host, port: last ?? wanted.port }, `${host}:${last ?? wanted.port}`).catch(
    async (error: unknown) => {
      if (last === undefined) throw error;
      return await bound(server, { host, port: 0 }, `${host}:0`);
    },
  );
  if (wanted.port === 0 && port !== last) ctx.store.set(LAST_PORT, port);
  return { kind: 'port', host, port };
}

function bound(
  server: Server,
  options: { host?: string; port?: number; path?: string },
  shown: string,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const fail = (error: NodeJS.ErrnoException): void => {
    const why = error.code === 'EADDRINUSE' ? 'somebody else listens there' : error.message;
    reject(new GraceError('API_LISTEN', `cannot listen on ${shown}: ${why}`, { address: shown, errno: error.code }));
  };
  server.once('error', fail);
  server.listen({ ...options, exclusive: true }, () => {
    server.off('error', fail);
    const address = server.address();
    resolve(typeof address === 'string' ? 0 : (address as AddressInfo).port);
  });
  return promise;
}

/** A socket file of a process that was killed stays behind; one that somebody answers on is in use. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (!found) return;
  if (!found.isSocket())
    throw new GraceError('API_LISTEN', `cannot listen on ${path}: there is a file that is no socket`);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ path, timeout: DIAL_MS });
  socket.once('connect', () => resolve(true));
  socket.once('timeout', () => resolve(true));
  socket.once('error', () => resolve(false));
  const isAnswered = await promise;
  socket.destroy();
  if (isAnswered) throw new GraceError('API_LISTEN', `cannot listen on ${path}: somebody else listens there`);
  await rm(path, { force: true });
}

export function urlOf(address: Address): string {
  if (address.kind === 'socket') return `unix:${address.path}`;
  const { host, port } = address;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** A file from which local programs learn where the server listens; it is there while the server is. */
export function announce(ctx: KernelContext, address: Address): { end(): void } {
  const file = join(ctx.stateDir, basename(HOME.api));
  const said = { url: urlOf(address), pid: process.pid, incarnation: ctx.incarnation };
  writeFileSync(`${file}.new`, `${JSON.stringify(said)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return { end: () => rmSync(file, { force: true }) };
}
