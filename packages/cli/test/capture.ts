import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
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
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  try {
    const code = await run(argv, {
      dist: join(root, 'dist'),
      root,
      cwd: options.cwd ?? own!,
      env: options.env ?? {},
      stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
      stdout: stdout as unknown as NodeJS.WriteStream,
      stderr: stderr as unknown as NodeJS.WriteStream,
    });
    return { code, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
  } finally {
    if (own !== undefined) rmSync(own, { recursive: true });
  }
}
