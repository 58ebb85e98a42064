import type { WireError } from '../errors.ts';

/** The control socket: one JSON document per line, both directions, requests and notices from either side. */
export type ControlFrame =
  | {
      t: 'request';
      id: number;
      method: string;
      params: unknown /** The asker waits this long, ms. */;
      deadlineMs: number;
    }
  | { t: 'result'; id: number; value: unknown }
  | { t: 'error'; id: number; error: WireError }
  | { t: 'notice'; name: string; data: unknown };

/** Longest line either side accepts, bytes. */
export const MAX_LINE_BYTES = 16e6;

/** Version of the protocol, said in the first request of each connection. */
export const PROTOCOL = 1;
