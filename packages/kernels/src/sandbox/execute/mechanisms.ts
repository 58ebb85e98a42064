import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { tellsChildren } from './proc.ts';

const FOLDERS = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin'];
const TRIAL_MS = 10_000;

export const NAMESPACES = ['--net', '--pid', '--fork', '--kill-child'] as const;
const AS_USER = ['--user', '--map-current-user'] as const;

/** Something that confines, tried on this machine. `why` says what it gives, or why it is not there. */
export interface Mechanism {
  name: string;
  live: boolean;
  why: string;
}

/** What this machine has; null or false = not there. */
export interface Mechanisms {
  /** `unshare` with the flags that work here: processes, network and signals of a run are its own. */
  namespaces: { path: string; flags: readonly string[] } | null;
  prlimit: string | null;
  /** `setpriv`, with what works here: no rights are gained, and those of root are given up. */
  setpriv: { path: string; flags: readonly string[] } | null;
  /** `timeout`: ends a run at its deadline, also when the kernel has died. */
  timeout: string | null;
  /** Node refuses network in its permission model. */
  nodeNetwork: boolean;
  /** Processes and memory of a run can be counted while it runs. */
  counted: boolean;
  list: Mechanism[];
}

/** Tries each mechanism once, by using it. @throws GraceError `DEADLINE` when the machine is too busy to tell */
export async function findMechanisms(mayUnshare: boolean): Promise<Mechanisms> {
  const list: Mechanism[] = [];
  const isRoot = process.getuid?.() === 0;
  const note = (name: string, live: boolean, why: string): void => void list.push({ name, live, why });
  const tool = (name: string): string | null =>
    FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
  /** The first set of flags that works. */
  const firstLive = async (name: string, sets: readonly (readonly string[])[], gives: string) => {
    const path = tool(name);
    let why = `there is no ${name} in ${FOLDERS.join(', ')}`;
    if (path) {
      for (const flags of sets) {
        const error = await trial(path, [...flags, path, '--version']);
        if (error === null) {
          note(name, true, `${gives} (${flags.join(' ')})`);
          return { path, flags };
        }
        why = `refused here: ${error}`;
      }
    }
    note(name, false, why);
    return null;
  };

  note('node permission model', true, 'files outside its folder, children, threads, add-ons, inspector');
  const nodeNetwork = process.allowedNodeEnvironmentFlags.has('--allow-net');
  note('node network permission', nodeNetwork, nodeNetwork ? 'no connections' : 'this Node cannot refuse network');

  const proc = '--mount-proc';
  const sets = [
    [...AS_USER, ...NAMESPACES, proc],
    ...(isRoot ? [[...NAMESPACES, proc]] : []),
    [...AS_USER, ...NAMESPACES],
  ];
  const gives = 'a network, processes and signals of its own; all end with the first of them';
  if (!mayUnshare) note('unshare', false, 'switched off: kernels.sandbox.config.namespaces');
  const namespaces = mayUnshare ? await firstLive('unshare', sets, gives) : null;
  const noGain = ['--no-new-privs'];
  const privileges = [...(isRoot ? [[...noGain, '--bounding-set=-all', '--inh-caps=-all']] : []), noGain];
  const setpriv = await firstLive('setpriv', privileges, 'no rights are gained by running a program');
  const prlimit = await firstLive(
    'prlimit',
    [['--core=0']],
    'bounds CPU time, memory, file size and open files of each process',
  );

  const timeout = await firstLive('timeout', [['--signal=KILL', '10']], 'the deadline holds without the kernel, too');
  const counted = tellsChildren();
  note(
    'process count',
    counted,
    counted ? 'looked at ten times a second' : 'the kernel of this machine tells no children',
  );
  return {
    ...{ namespaces, setpriv, nodeNetwork, counted, list },
    prlimit: prlimit?.path ?? null,
    timeout: timeout?.path ?? null,
  };
}

/** Null: it worked. */
function trial(path: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve, reject) => {
    execFile(path, args, { timeout: TRIAL_MS, killSignal: 'SIGKILL', env: {} }, (error, _out, stderr) => {
      if (!error) resolve(null);
      // Not an answer about the mechanism, so it is asked again later.
      else if (error.killed) reject(new GraceError('DEADLINE', `${path} did not end within ${TRIAL_MS} ms`));
      else resolve((stderr.trim().split('\n')[0] || error.message).slice(0, 200));
    });
  });
}
