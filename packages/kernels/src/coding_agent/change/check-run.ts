import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, lstat, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { GraceError } from '@grace/contracts';
import type { Check } from '../settings.ts';
import type { Check as Checked } from '../tasks/task.ts';
import { isInside } from '../tree/place.ts';

const OUTPUT_LENGTH = 8192;
const COPY_FILES_MAX = 20_000;
const COPY_BYTES_MAX = 512 * 1024 ** 2;
const LEFT_OUT: ReadonlySet<string> = new Set(['.git', 'node_modules']);
/** Ends the program also when Grace itself was killed; from coreutils. */
const TIMEOUT = ['/usr/bin/timeout', '/bin/timeout'].find((path) => existsSync(path));

/**
 * Runs what a project says must pass, in a copy of its folder with the change in it. Links are not copied, but each `node_modules` is there
 * through a link to the real one: the command is the operator's own and is trusted not to write there.
 * @throws GraceError `TOO_LARGE` for a folder too large to copy, `DEADLINE`, `SANDBOX_ERROR` when it cannot be started
 */
export async function runCheck(
  check: Check,
  root: string,
  files: readonly { file: string; after: string }[],
  copies: string,
  signal: AbortSignal,
): Promise<Checked> {
  await mkdir(copies, { recursive: true });
  const place = await mkdtemp(join(copies, 'copy-'));
  try {
    const tree = join(place, 'tree');
    await copyTree(check.folder, tree);
    for (const { file, after } of files) {
      const path = join(root, file);
      if (isInside(path, check.folder)) await writeFile(join(tree, relative(check.folder, path)), after);
    }
    return await run(check, tree, join(place, 'home'), signal);
  } finally {
    await rm(place, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }
}

async function copyTree(from: string, to: string): Promise<void> {
  const sum = { files: 0, bytes: 0 };
  await cp(from, to, {
    recursive: true,
    async filter(source) {
      if (LEFT_OUT.has(basename(source)) && source !== from) return false;
      const found = await lstat(source);
      if (found.isDirectory()) return true;
      if (!found.isFile()) return false;
      sum.files++;
      sum.bytes += found.size;
      if (sum.files > COPY_FILES_MAX || sum.bytes > COPY_BYTES_MAX)
        throw new GraceError(
          'TOO_LARGE',
          `${from} has more than ${COPY_FILES_MAX} files or ${COPY_BYTES_MAX} bytes to copy for its check`,
        );
      return true;
    },
  });
  await linkPackages(from, to);
}

async function linkPackages(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    if (entry.name === 'node_modules') await symlink(join(from, entry.name), join(to, entry.name));
    else if (!LEFT_OUT.has(entry.name)) await linkPackages(join(from, entry.name), join(to, entry.name));
  }
}

async function run({ command, timeoutMs }: Check, cwd: string, home: string, signal: AbortSignal): Promise<Checked> {
  await mkdir(home);
  const startMono = performance.now();
  const seconds = Math.ceil(timeoutMs / 1000) + 5;
  const [file, ...args] = TIMEOUT ? [TIMEOUT, '-s', 'KILL', String(seconds), ...command] : command;
  const child = spawn(file!, args, {
    cwd,
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: home, TMPDIR: home, LANG: 'C.UTF-8', CI: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  let stopped: string | null = null;
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_LENGTH);
    });
  const stop = (why: string): void => {
    stopped ??= why;
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // It has ended.
    }
  };
  const onAbort = (): void => stop('the kernel is stopping');
  const timer = setTimeout(() => stop(`it was not done within ${timeoutMs} ms`), timeoutMs);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once('error', (error) =>
        reject(new GraceError('SANDBOX_ERROR', `${command[0]} could not be started: ${error.message}`)),
      );
      // Not `close`: something it left behind may hold its output open.
      child.once('exit', (code) => resolve(code));
    });
    stop('it has ended');
    const name = command.join(' ').slice(0, 200);
    if (stopped !== 'it has ended') throw new GraceError('DEADLINE', `"${name}" was ended: ${stopped}`);
    return { command, exitCode, tookMs: Math.round(performance.now() - startMono), output };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}
