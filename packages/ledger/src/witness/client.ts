import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { GraceError } from '@grace/contracts';
import type { TreeHead } from '../tree/checkpoint.ts';
import { openNote, type Verifier } from '../tree/note.ts';
import { ADD_CHECKPOINT, BODY_BYTES_MAX, formatRequest } from './protocol.ts';

/** A Unix socket, or a URL prefix like `https://witness.example/`. */
export type WitnessAddress = { socketPath: string } | { url: string };

interface Reply {
  status: number;
  body: string;
}

export interface AskOptions {
  verifier: Verifier;
  head: TreeHead;
  /** The signed checkpoint. */
  note: string;
  /** What the witness is believed to have; it says itself when that is wrong. */
  old: number;
  proof: (from: number) => Promise<Buffer[]>;
  deadlineMs: number;
}

/**
 * Asks a witness to cosign; resolves with its signature lines, verified.
 * @throws GraceError `LEDGER_CORRUPT` with `details.reason` `rolled-back` or `forked` when it has cosigned another tree; `DEADLINE`,
 *   `CONNECTION_CLOSED`; `PROTOCOL` for what a witness does not say; `PROOF_INVALID` when its signature does not verify
 */
export async function askWitness(address: WitnessAddress, options: AskOptions): Promise<string> {
  const { verifier, head, note, proof, deadlineMs } = options;
  const signal = AbortSignal.timeout(deadlineMs);
  let old = options.old;
  for (let attempt = 0; attempt < 3; attempt++) {
    const body = formatRequest({ old, proof: await proof(old), note });
    const reply = await post(address, body, signal, verifier.name);
    if (reply.status === 200) return verifiedLines(reply.body, note, verifier);
    if (reply.status === 422) throw contradicted('forked', verifier, head, `it has size ${old} with another root`);
    if (reply.status !== 409) throw unexpected(verifier, reply);
    const size = /^(0|[1-9]\d*)\n$/.exec(reply.body)?.[1];
    if (size === undefined) throw unexpected(verifier, reply);
    old = Number(size);
    if (old > head.size) throw contradicted('rolled-back', verifier, head, `it saw size ${old}`);
  }
  throw new GraceError(
    'CONFLICT',
    `${verifier.name} takes checkpoints of this log from somebody else at the same time`,
  );
}

function verifiedLines(body: string, note: string, verifier: Verifier): string {
  openNote(`${note}${body}`, [verifier]);
  return body
    .split('\n')
    .filter((line) => line.startsWith(`\u2014 ${verifier.name} `))
    .map((line) => `${line}\n`)
    .join('');
}

async function post(address: WitnessAddress, body: string, signal: AbortSignal, name: string): Promise<Reply> {
  try {
    return await exchange(address, body, signal);
  } catch (error) {
    if (error instanceof GraceError) throw error;
    if (signal.aborted)
      throw new GraceError('DEADLINE', `the witness ${name} did not answer in time`, { witness: name });
    const why = error instanceof Error ? error.message : String(error);
    throw new GraceError('CONNECTION_CLOSED', `the witness ${name} cannot be reached: ${why}`, { witness: name });
  }
}

async function exchange(address: WitnessAddress, body: string, signal: AbortSignal): Promise<Reply> {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(body) };
  const options: RequestOptions = { method: 'POST', headers, signal, agent: false };
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = await open(address, options, resolve);
  request.on('error', reject);
  request.end(body);
  const response = await promise;
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response) {
    bytes += (part as Buffer).length;
    if (bytes > BODY_BYTES_MAX) throw new GraceError('PROTOCOL', 'the answer of the witness is too long');
    parts.push(part as Buffer);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') };
}

/** HTTP is loaded at the first need: the thread of the kernel must not pay for it at its start. */
async function open(
  address: WitnessAddress,
  options: RequestOptions,
  onResponse: (response: IncomingMessage) => void,
): Promise<ClientRequest> {
  if ('socketPath' in address) {
    const { request } = await import('node:http');
    return request({ ...options, socketPath: address.socketPath, path: ADD_CHECKPOINT }, onResponse);
  }
  const url = new URL(address.url.replace(/\/*$/, ADD_CHECKPOINT));
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  return request(url, options, onResponse);
}

function contradicted(reason: 'forked' | 'rolled-back', verifier: Verifier, head: TreeHead, what: string): GraceError {
  const words = reason === 'forked' ? 'forked' : 'rolled back';
  const message = `${words}: witness ${verifier.name} refuses size ${head.size} root ${head.root.toString('base64')}: ${what}`;
  return new GraceError('LEDGER_CORRUPT', message, { reason, witness: verifier.name });
}

function unexpected({ name }: Verifier, { status, body }: Reply): GraceError {
  return new GraceError('PROTOCOL', `the witness ${name} answered ${status}: ${body.slice(0, 200).trim()}`, { status });
}
