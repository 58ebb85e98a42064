import { StringDecoder } from 'node:string_decoder';
import type { Redactor } from '@grace/contracts';
import { createBucket } from './bucket.ts';

/** What a thread may print in a second, and at once, bytes; each write costs something however short it is. */
const BYTES_PER_SECOND = 1024 ** 2;
const BURST_BYTES = 2 * BYTES_PER_SECOND;
const WRITE_COST_BYTES = 100;

type Print = NodeJS.WriteStream['write'];

/**
 * Bounds what this thread prints, where it is printed: what a loop prints waits in this thread and then in its cell's agent, and 300 MB of it
 * took the agent 700 MB (measured). Secrets this thread knows are left out of it, also where one lies across two writes. The host twin is supervisor/src/cell/output-lane.ts. A stream is bounded when it is first used; making one
 * costs a thread 20 ms that most never need.
 */
export function boundPrinting(warn: (message: string) => void, redactor: Redactor): void {
  for (const name of ['stdout', 'stderr'] as const) {
    const own = Object.getOwnPropertyDescriptor(process, name)!;
    let bounded: NodeJS.WriteStream | undefined;
    Object.defineProperty(process, name, {
      ...own,
      get: () => (bounded ??= bound(own.get!.call(process) as NodeJS.WriteStream, name, warn, redactor)),
    });
  }
}

function bound(
  stream: NodeJS.WriteStream,
  name: string,
  warn: (message: string) => void,
  redactor: Redactor,
): NodeJS.WriteStream {
  const mayPrint = createBucket(BYTES_PER_SECOND, BURST_BYTES, (refused) =>
    warn(`${refused} writes to ${name} dropped: more than ${BYTES_PER_SECOND} bytes in a second`),
  );
  const print = stream.write.bind(stream) as (...given: unknown[]) => boolean;
  const readable = printed(redactor);
  const write = (chunk: unknown, ...rest: unknown[]): boolean => {
    const size = typeof chunk === 'string' || chunk instanceof Uint8Array ? chunk.length : 0;
    if (mayPrint(size + WRITE_COST_BYTES)) {
      if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) return print(chunk, ...rest);
      const encoding = typeof rest[0] === 'string' ? (rest.shift() as BufferEncoding) : 'utf8';
      return print(readable(chunk, encoding), ...rest);
    }
    const done = rest.at(-1);
    if (typeof done === 'function') process.nextTick(done);
    return true;
  };
  stream.write = write as Print;
  return stream;
}

/**
 * What is printed, without secrets. Bytes are taken as text only in a thread that knows one. The end of a piece that may be the beginning of a
 * secret waits for the next piece: the cell writes whole lines, so nobody would have seen it sooner.
 */
function printed(redactor: Redactor): (chunk: string | Uint8Array, encoding: BufferEncoding) => string | Uint8Array {
  const stream = redactor.stream();
  const decoder = new StringDecoder('utf8');
  return (chunk, encoding) => {
    const isText = typeof chunk === 'string' && /^utf-?8$/i.test(encoding);
    if (redactor.known === 0)
      return isText ? redactor.text(chunk) : typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    return stream.push(isText ? chunk : decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)));
  };
}
