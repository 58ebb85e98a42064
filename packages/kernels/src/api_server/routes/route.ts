import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { Role } from '../access/role.ts';
import type { Caller } from '../access/token-book.ts';
import type { Schema } from '../http/schema.ts';

/** One route: what it is, who may, what it takes, what it answers. The server, the checks and the OpenAPI document are made of these. */
export interface Route {
  method: 'GET' | 'POST' | 'DELETE';
  /** `:name` for a parameter, `*` at the end for the rest. */
  path: string;
  /** Operation id in the OpenAPI document. */
  id: string;
  tag: 'system' | 'kernels' | 'journal' | 'reports' | 'tokens';
  summary: string;
  /** The least role. */
  role: Role;
  params?: Schema;
  query?: Schema;
  body?: Schema;
  /** Status -> what is answered; the first is the ordinary one. */
  answers: Readonly<Record<number, Answer>>;
  handle(asked: Asked): Promise<unknown> | unknown;
}

export interface Answer {
  description: string;
  /** Default application/json. */
  type?: string;
  schema?: Schema;
}

export interface Asked {
  params: Record<string, string>;
  query: Record<string, unknown>;
  body: unknown;
  /** Null on a route that was opened to everybody. */
  caller: Caller | null;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Takes the connection over; the handler answers by itself, and returns what it returns for nobody. */
  take(): ServerResponse;
}

/** An answer that is not a JSON value with status 200. */
export class Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Readable | object;

  constructor(status: number, headers: Readonly<Record<string, string>>, body: string | Readable | object) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

/** Nothing: the handler has taken the connection over. */
export const TAKEN = Symbol('taken');

export const object = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

/** A part of an answer that other pages describe field by field. */
export const document = (description: string): Schema => ({ type: 'object', description, additionalProperties: true });

/** Who acts, as it stands in journal and record; verbs see the same name as the one who calls. */
export const actorOf = (caller: Caller | null): string => `api_server:${caller?.principal ?? 'nobody'}`;
