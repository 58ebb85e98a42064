import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processesOf } from '../src/stress/leftovers.ts';
import { killAll, untilGone } from '../src/system/processes.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** GRACE_DIST names another folder of built entries. */
export const dist = process.env['GRACE_DIST'] ?? join(root, 'dist');
export const cli = join(dist, 'cli.js');

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Started {
  child: ChildProcess;
  output(): string;
  ended: Promise<Ended>;
}

/** Of the repository. */
export { root };

/** A folder in which the built command line runs as its users run it: in processes of its own. */
export class Bench {
  readonly cwd = mkdtempSync(join(tmpdir(), 'grace-system-'));
  readonly home = join(this.cwd, '.grace');

  start(...argv: string[]): Started {
    if (!existsSync(cli)) throw new Error('dist/cli.js is not there: run scripts/build.mjs first');
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', cli, ...argv], {
      cwd: this.cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk;
    });
    const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
    return { child, output: () => stdout + stderr, ended };
  }

  async run(...argv: string[]): Promise<Ended> {
    const { child, ended } = this.start(...argv);
    const timer = setTimeout(() => child.kill('SIGKILL'), 120_000);
    try {
      return await ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The document of a command under `--json`. */
  async json<T>(...argv: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.run(...argv, '--json');
    if (code !== 0) throw new Error(`grace ${argv.join(' ')} ended with ${code}: ${stdout}${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** Process ids of everything that belongs to a home below this folder. */
  processes(): number[] {
    return processesOf(this.cwd).map(({ pid }) => pid);
  }

  /** Ends whatever a failed test left, and takes the folder away. */
  async clear(): Promise<void> {
    const left = processesOf(this.cwd);
    killAll(left);
    await untilGone(left, 20_000);
    rmSync(this.cwd, { recursive: true, force: true, maxRetries: 5 });
  }
}
