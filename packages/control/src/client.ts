import { join } from 'node:path';
import {
  type ClientMethod,
  type ClientMethods,
  type ClientNotices,
  GraceError,
  HOME,
  PROTOCOL,
} from '@grace/contracts';
import { Channel } from './channel.ts';
import { connectSocket } from './connect.ts';
import { lives, readOwner } from './process-owner.ts';

/** The supervisor of one home as its clients see it: typed methods, each with a deadline. */
export interface ControlClient {
  readonly closed: boolean;
  readonly supervisor: ClientMethods['hello']['result'];
  request<M extends ClientMethod>(
    method: M,
    params: ClientMethods[M]['params'],
    deadlineMs?: number,
  ): Promise<ClientMethods[M]['result']>;
  onNotice<N extends keyof ClientNotices>(name: N, handler: (data: ClientNotices[N]) => void): void;
  onClose(handler: (error: GraceError | undefined) => void): void;
  close(): void;
}

/** Deadline of a control request where the caller gives none, ms. */
export const DEFAULT_DEADLINE_MS = 5000;

/** How long a supervisor that died may take to come back, ms. */
const RETURN_MS = 3000;
const RETRY_MS = 20;

/**
 * Connects to the system that runs in `home`. While its supervisor is away and a guardian lives that brings it back, that is waited for.
 * @throws GraceError `NOT_RUNNING` when no supervisor listens there
 */
export async function connectControl(
  home: string,
  who: { role: 'client' | 'runner'; name: string },
  deadlineMs = DEFAULT_DEADLINE_MS,
): Promise<ControlClient> {
  const until = performance.now() + Math.min(deadlineMs, RETURN_MS);
  for (;;) {
    try {
      return await connectOnce(home, who, deadlineMs);
    } catch (error) {
      const away = error instanceof GraceError && ['NOT_RUNNING', 'CONNECTION_CLOSED'].includes(error.code);
      const guardian = readOwner(join(home, HOME.guardian));
      if (!away || performance.now() >= until || !guardian || !lives(guardian)) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

async function connectOnce(
  home: string,
  who: { role: 'client' | 'runner'; name: string },
  deadlineMs: number,
): Promise<ControlClient> {
  const notices = new Map<string, (data: never) => void>();
  const closers: ((error: GraceError | undefined) => void)[] = [];
  const socket = await connectSocket(join(home, HOME.controlSocket), deadlineMs);
  const channel = new Channel(socket, {
    onNotice: (name, data) => notices.get(name)?.(data as never),
    onClose: (error) => {
      for (const closer of closers) closer(error);
    },
  });
  try {
    const supervisor = await channel.request<ClientMethods['hello']['result']>(
      'hello',
      { protocol: PROTOCOL, ...who },
      deadlineMs,
    );
    return {
      supervisor,
      get closed() {
        return channel.closed;
      },
      request: (method, params, deadline = DEFAULT_DEADLINE_MS) => channel.request(method, params, deadline),
      onNotice: (name, handler) => void notices.set(name, handler as (data: never) => void),
      onClose: (handler) => void closers.push(handler),
      close: () => channel.close(),
    };
  } catch (error) {
    channel.close();
    throw error;
  }
}
