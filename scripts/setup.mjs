// Brings what a fresh machine lacks, and says so in one line each: dependencies (with pnpm's pinned version, through npx) and the build.
// Runs on any Node >= 20; needs no dependency itself.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const pinnedNode = join(root, 'node_modules/.bin/node');

const say = (line) => process.stderr.write(`grace: ${line}\n`);

/** Ensures dependencies and build; returns the pinned Node. Ends the process with code 70 when it cannot. */
export function setUp() {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 20) fail(`Node ${process.versions.node} runs this; Grace's set-up needs Node 20 or newer`);
  if (dependenciesAreStale()) {
    withLock(() => {
      if (dependenciesAreStale()) installDependencies();
    });
  }
  if (buildIsStale()) {
    withLock(() => {
      if (buildIsStale()) buildAll();
    });
  }
  return pinnedNode;
}

const stamp = join(root, 'node_modules/.grace-lockfile');

function dependenciesAreStale() {
  if (!existsSync(pinnedNode) || !existsSync(stamp)) return true;
  return readFileSync(stamp, 'utf8') !== readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8');
}

function installDependencies() {
  const { config } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const packageManager = `pnpm@${config.pnpm}`;
  say(`installing dependencies with ${packageManager} (once)`);
  run(
    'npx',
    ['-y', packageManager, 'install', '--frozen-lockfile', '--reporter=append-only'],
    'the dependencies could not be installed',
  );
  writeFileSync(stamp, readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8'));
}

function buildIsStale() {
  const built = join(root, 'dist/.built');
  if (!existsSync(built)) return true;
  const builtAt = statSync(built).mtimeMs;
  const newest = (path) => {
    const info = statSync(path);
    if (!info.isDirectory()) return /\.(ts|mjs|json)$/.test(path) ? info.mtimeMs : 0;
    return Math.max(
      0,
      ...readdirSync(path)
        .filter((name) => name !== 'node_modules' && name !== 'test')
        .map((name) => newest(join(path, name))),
    );
  };
  return (
    Math.max(
      newest(join(root, 'packages')),
      newest(join(root, 'scripts/build.mjs')),
      newest(join(root, 'pnpm-lock.yaml')),
    ) > builtAt
  );
}

function buildAll() {
  say('building');
  run(pinnedNode, [join(root, 'scripts/build.mjs')], 'the build failed');
}

/** Two commands started at once on a fresh clone must not install or build over each other. */
function withLock(work) {
  const lock = join(root, '.setup-lock');
  const mine = `${lock}.${process.pid}`;
  mkdirSync(mine, { recursive: true });
  writeFileSync(join(mine, 'pid'), String(process.pid));
  const deadline = Date.now() + 600_000;
  for (;;) {
    try {
      renameSync(mine, lock);
      break;
    } catch {
      const owner = readOwner(lock);
      if (owner !== undefined && !isAlive(owner)) {
        rmSync(lock, { recursive: true, force: true });
        continue;
      }
      if (Date.now() > deadline) fail(`another set-up (process ${owner}) holds ${lock} for more than 10 minutes`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    }
  }
  try {
    work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function readOwner(lock) {
  try {
    return Number(readFileSync(join(lock, 'pid'), 'utf8'));
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function run(command, args, problem) {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 64e6,
  });
  if (result.status === 0) return;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  fail(
    `${problem} (${command} ${result.error ? result.error.message : `ended with ${result.status ?? result.signal}`})`,
  );
}

function fail(message) {
  say(message);
  process.exit(70);
}
