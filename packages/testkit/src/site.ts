import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HOME } from '@grace/contracts';
import { poll } from './poll.ts';
import { cgroupsOf, cgroupsOfHome, killPids, markedPids, removeCgroup, writtenFilesOf } from './proc-tree.ts';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
/** The built command line; GRACE_DIST names another folder of built entries. */
const CLI = join(process.env['GRACE_DIST'] ?? join(REPOSITORY, 'dist'), 'cli.js');
/** Stands in the environment of everything a site starts: processes are found by it whatever becomes of their parents. */
const MARK = 'GRACE_TEST_SITE';
/** A command line that takes longer is ended, ms. */
const COMMAND_MS = 90_000;

export interface SiteOptions {
  /** Written as grace.yaml: JSON is YAML. A text is written as it is. */
  config?: object | string;
  /** Files beside grace.yaml: name -> text. */
  files?: Record<string, string>;
  /** Whose processes these are; default: those of the user who runs the tests. */
  user?: { uid: number; gid: number };
  /** Where the home is; default: in the site's own folder. */
  home?: string;
}

export interface Ended {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  /** What it wrote so far, both streams. */
  output(): string;
  readonly ended: Promise<Ended>;
}

/** A temporary folder in which the built command line runs as its users run it, with a home below it. */
export interface Site {
  readonly dir: string;
  readonly home: string;
  /** Runs the command line to its end. */
  grace(...args: string[]): Promise<Ended>;
  /** Starts the command line. */
  start(...args: string[]): Started;
  /** A file in the site's folder. */
  write(name: string, text: string): void;
  remove(name: string): void;
  /** Sizes in bytes of the files of a folder whose names match. */
  sizes(folder: string, name: RegExp): number[];
  /** Everything started here that still runs, and what it started. */
  pids(): number[];
  /**
   * Stops the system of the home, when one runs, and checks what is left.
   * @throws AssertionError with every process, socket, lock, key, cgroup and stray file
   */
  stop(): Promise<void>;
  /** Ends what is left and takes the folder away; says what was left, unless that is the test's subject. */
  close(options?: { mayLeave?: boolean }): Promise<void>;
}

export function openSite(options: SiteOptions = {}): Site {
  if (!existsSync(CLI)) throw new Error(`${CLI} is not there: run scripts/build.mjs first`);
  const { user } = options;
  const dir = mkdtempSync(join(tmpdir(), 'grace-site-'));
  const home = options.home ?? join(dir, 'home');
  const temporary = join(dir, 'tmp');
  mkdirSync(temporary);
  const given = new Set(['tmp', 'home']);
  const give = (path: string): void => {
    if (user) chownSync(path, user.uid, user.gid);
  };
  const seen = { cgroups: new Set<string>(), strays: new Set<string>() };
  const write = (name: string, text: string): void => {
    writeFileSync(join(dir, name), text);
    give(join(dir, name));
    given.add(name.split('/')[0]!);
  };
  give(dir);
  give(temporary);
  const { config } = options;
  if (config !== undefined) write('grace.yaml', typeof config === 'string' ? config : JSON.stringify(config, null, 2));
  for (const [name, text] of Object.entries(options.files ?? {})) write(name, text);

  const start = (...args: string[]): Started => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', CLI, '--home', home, ...args], {
      cwd: dir,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...cleanEnvironment(), TMPDIR: temporary, HOME: dir, [MARK]: dir },
      ...user,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk;
    });
    const { promise: ended, resolve, reject } = Promise.withResolvers<Ended>();
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    return { child, output: () => stdout + stderr, ended };
  };
  const grace = async (...args: string[]): Promise<Ended> => {
    const { child, ended } = start(...args);
    const timer = setTimeout(() => child.kill('SIGKILL'), COMMAND_MS);
    try {
      return await ended;
    } finally {
      clearTimeout(timer);
    }
  };
  const pids = (): number[] => markedPids(MARK, dir);
  /** Kept for the end: groups and files can be told only while their processes run. */
  const look = (): void => {
    for (const pid of pids()) {
      for (const group of cgroupsOf(pid)) seen.cgroups.add(group);
      for (const file of writtenFilesOf(pid)) {
        if (!file.startsWith(`${dir}/`) && !file.startsWith(`${home}/`)) seen.strays.add(`process ${pid}: ${file}`);
      }
    }
  };
  const leftovers = (): Record<string, string[]> => {
    const run = join(home, dirname(HOME.lock));
    return {
      processes: pids().map(String),
      files: existsSync(run) ? readdirSync(run) : [],
      cgroups: [...seen.cgroups, ...cgroupsOfHome(home)].filter((group) => existsSync(group)),
      strays: [...seen.strays],
      temporary: readdirSync(temporary),
      besideHome: readdirSync(dir).filter((name) => !given.has(name)),
    };
  };
  const NOTHING = { processes: [], files: [], cgroups: [], strays: [], temporary: [], besideHome: [] };

  return {
    dir,
    home,
    grace,
    start,
    write,
    remove: (name) => rmSync(join(dir, name)),
    sizes: (folder, name) =>
      readdirSync(join(dir, folder))
        .filter((file) => name.test(file))
        .map((file) => statSync(join(dir, folder, file)).size),
    pids,
    async stop() {
      look();
      if (existsSync(join(home, HOME.controlSocket))) await grace('stop');
      // The supervisor's end is what `stop` waits for; a process is listed until its parent has taken notice.
      await poll('every process has ended', () => pids().length === 0, { deadlineMs: 15_000 }).catch(() => {});
      assert.deepEqual(leftovers(), NOTHING, 'something is left behind');
    },
    async close({ mayLeave = false } = {}) {
      const left = pids();
      killPids(left);
      // One that was about to start another may have done so just before it was killed.
      const isGone = (): boolean => {
        const still = pids();
        killPids(still);
        return still.length === 0;
      };
      await poll('what was killed is gone', isGone, { deadlineMs: 15_000 });
      await poll('their control groups are gone', () => {
        cgroupsOfHome(home).forEach(removeCgroup);
        return true;
      });
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
      if (!mayLeave) assert.deepEqual(left, [], 'processes were left behind; they are ended now');
    },
  };
}

/** Without what a test runner or a shell adds and a process of the system must not depend on. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { PATH } = process.env;
  return { PATH: `${dirname(process.execPath)}:${PATH}`, NO_COLOR: '1' };
}
