// A folder for all that a run of the tests writes outside the checkout, and what is left of it and of its processes at the end.
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Others' folders: of Node's compile cache, and of browsers and sound libraries in programs that some tests start. */
const NOT_OURS = /^(node-compile-cache|pulse-|\.org\.chromium|org\.chromium|\.com\.google|com\.google)/;
/** What is told to end as the last test ends has this for it. */
const END_MS = 20_000;

/** Makes the folder that temporary files of this process and its children go to from now on. */
export function openScratch() {
  const folder = mkdtempSync(join(tmpdir(), 'grace-t-'));
  // As the folder that it stands for: some tests go on as another user.
  chmodSync(folder, 0o1777);
  process.env.TMPDIR = folder;
  return folder;
}

/** Ends what still runs and removes the folder; says in a line each what was left. */
export async function closeScratch(folder) {
  const until = Date.now() + END_MS;
  let left = leftIn(folder);
  while (left.length > 0 && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    left = leftIn(folder);
  }
  endProcessesOf(folder);
  rmSync(folder, { recursive: true, force: true });
  return left;
}

function leftIn(folder) {
  const files = readdirSync(folder)
    .filter((name) => !NOT_OURS.test(name))
    .map((name) => `${join(folder, name)} (${inside(join(folder, name))})`);
  return [...files, ...processesOf(folder).map(({ pid, command }) => `process ${pid}: ${command}`)];
}

function inside(path) {
  try {
    return readdirSync(path).join(', ') || 'empty';
  } catch {
    return 'a file';
  }
}

/** One that is ended may just have started another. */
function endProcessesOf(folder) {
  for (let round = 0; round < 20; round++) {
    const running = processesOf(folder);
    if (running.length === 0) return;
    for (const { pid } of running) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended meanwhile.
      }
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  }
}

/** Processes that were started with this folder for their temporary files, where the system tells. */
function processesOf(folder) {
  if (!existsSync('/proc/self/environ')) return [];
  const found = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
      if (!environment.some((one) => one.startsWith(`TMPDIR=${folder}`))) continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      if (command !== '') found.push({ pid: Number(pid), command });
    } catch {
      // It ended meanwhile, or belongs to somebody else.
    }
  }
  return found;
}
