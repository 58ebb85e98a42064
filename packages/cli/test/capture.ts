import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { run } from '../src/program.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

export interface Captured {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command line in this process, in a folder of its own, with streams that are no terminal. */
export async function grace(
  argv: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; stdin?: string } = {},
): Promise<Captured> {
  const own = options.cwd === undefined ? mkdtempSync(join(tmpdir(), 'grace-cli-')) : undefined;
  const stdout = collect();
  const stderr = collect();
  try {
    const code = await run(argv, {
      dist: join(root, 'dist'),
      root,
      cwd: options.cwd ?? own!,
      env: options.env ?? {},
      stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
      stdout: stdout.stream as unknown as NodeJS.WriteStream,
      stderr: stderr.stream as unknown as NodeJS.WriteStream,
    });
    return { code, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    if (own !== undefined) rmSync(own, { recursive: true });
  }
}

function collect(): { stream: Writable; text: () => string } {
  const parts: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      parts.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(parts).toString('utf8') };
}
