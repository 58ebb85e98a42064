import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { originHash } from '../tree/witness-state.ts';
import { createJudge } from './judge.ts';
import { ADD_CHECKPOINT, BODY_BYTES_MAX } from './protocol.ts';
import type { WitnessRecord } from './record.ts';

const TEXT = 'text/plain; charset=utf-8';
const REQUEST_DEADLINE_MS = 5000;
const CONNECTIONS_MAX = 32;

/** `POST /add-checkpoint`, and `GET /<origin hash>/checkpoint` for monitors. */
export function createWitnessServer(record: WitnessRecord): Server {
  const judge = createJudge(record);
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method, url = '' } = request;
    if (url === ADD_CHECKPOINT) {
      if (method !== 'POST') return send(response, 405, 'expected POST\n');
      const body = await readBody(request);
      if (body === null) return send(response, 413, `a request has at most ${BODY_BYTES_MAX} bytes\n`);
      const { status, body: text, type } = await judge(body);
      return send(response, status, text, type);
    }
    const origin = method === 'GET' && record.origins.find((known) => url === `/${originHash(known)}/checkpoint`);
    const latest = origin ? record.log(origin)?.latest : null;
    return latest ? send(response, 200, latest.note) : send(response, 404, 'not found\n');
  };
  const server = createServer(
    { requestTimeout: REQUEST_DEADLINE_MS, headersTimeout: REQUEST_DEADLINE_MS },
    (request, response) => {
      answer(request, response).catch((error: unknown) => {
        if (!response.headersSent) send(response, 500, `${error instanceof Error ? error.message : String(error)}\n`);
        else response.destroy();
      });
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  return server;
}

function send(response: ServerResponse, status: number, body: string, type = TEXT): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
}

/** Null when it is too long. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Buffer).length;
    if (bytes > BODY_BYTES_MAX) return null;
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString('utf8');
}
