import { createBucket } from './bucket.ts';

/** What a thread may print in a second, and at once, bytes; each write costs something however short it is. */
const BYTES_PER_SECOND = 1024 ** 2;
const BURST_BYTES = 2 * BYTES_PER_SECOND;
const WRITE_COST_BYTES = 100;

type Print = NodeJS.WriteStream['write'];

/**
 * Bounds what this thread prints, where it is printed: what a loop prints waits in this thread and then in its cell's agent, and 300 MB of it
 * took the agent 700 MB (measured). The host twin is supervisor/src/cell/output-lane.ts. A stream is bounded when it is first used; making one
 * costs a thread 20 ms that most never need.
 */
export function boundPrinting(warn: (message: string) => void): void {
  for (const name of ['stdout', 'stderr'] as const) {
    const own = Object.getOwnPropertyDescriptor(process, name)!;
    let bounded: NodeJS.WriteStream | undefined;
    Object.defineProperty(process, name, {
      ...own,
      get: () => (bounded ??= bound(own.get!.call(process) as NodeJS.WriteStream, name, warn)),
    });
  }
}

function bound(stream: NodeJS.WriteStream, name: string, warn: (message: string) => void): NodeJS.WriteStream {
  const mayPrint = createBucket(BYTES_PER_SECOND, BURST_BYTES, (refused) =>
    warn(`${refused} writes to ${name} dropped: more than ${BYTES_PER_SECOND} bytes in a second`),
  );
  const print = stream.write.bind(stream) as (...given: unknown[]) => boolean;
  const write = (chunk: unknown, ...rest: unknown[]): boolean => {
    const size = typeof chunk === 'string' || chunk instanceof Uint8Array ? chunk.length : 0;
    if (mayPrint(size + WRITE_COST_BYTES)) return print(chunk, ...rest);
    const done = rest.at(-1);
    if (typeof done === 'function') process.nextTick(done);
    return true;
  };
  stream.write = write as Print;
  return stream;
}
