import { join } from 'node:path';
import { GUARD } from './guard.ts';
import type { Mechanisms } from './mechanisms.ts';
import { MARK } from './proc.ts';
import type { ExecuteRequest } from './request.ts';

/** Programs reserve memory that they never touch; Node does not start with less than this. What is touched is counted while it runs. */
const RESERVED_BYTES = 1024 ** 3;
/** Threads count as processes, and Node alone has a dozen. */
const THREADS_EACH = 16;
const OPEN_FILES = 256;
/** Share of a run's memory that the heap of Node may have. */
const HEAP_SHARE = 0.75;

/** How a run is confined. */
export interface Isolation {
  files: 'permission' | 'none';
  network: 'namespace' | 'permission' | 'none' | 'granted';
  processes: 'namespace' | 'permission' | 'group';
  signals: 'namespace' | 'guard' | 'none';
  limits: string[];
  /** What would have to hold and does not. Not empty: only for callers that accept it. */
  weak: string[];
}

export interface Launch {
  file: string;
  args: string[];
  env: Record<string, string>;
  /** Processes of ours in front of the program. */
  wrappers: number;
  isolation: Isolation;
}

/** The command line of a run: each wrapper becomes the next, and the last becomes the program. No shell is among them. */
export function composeLaunch(request: ExecuteRequest, folder: string, found: Mechanisms): Launch {
  const { limits, network } = request;
  const isNode = request.command === 'node';
  const { namespaces, timeout, setpriv, prlimit } = found;
  const seconds = Math.ceil(limits.timeoutMs / 1000);
  const words: string[] = [];
  if (timeout) words.push(timeout, '--signal=KILL', `${seconds + 1}`);
  if (namespaces) words.push(namespaces.path, ...namespaces.flags.filter((flag) => !(network && flag === '--net')));
  if (prlimit) {
    words.push(
      prlimit,
      '--core=0',
      `--cpu=${seconds * 2 + 1}`,
      `--fsize=${limits.fileBytes}`,
      `--nofile=${OPEN_FILES}`,
    );
    words.push(`--data=${limits.memoryBytes + RESERVED_BYTES}`);
    // Counted in the namespace of a user alone; else it would count what the user has running elsewhere. Root is not held by it.
    if (namespaces?.flags.includes('--user')) words.push(`--nproc=${(limits.processes + 4) * THREADS_EACH}`);
  }
  if (setpriv) words.push(setpriv.path, ...setpriv.flags);
  words.push(...(isNode ? nodeWords(request, folder, found) : [request.command, ...request.args]));
  return {
    file: words[0]!,
    args: words.slice(1),
    env: {
      ...{ PATH: '/usr/local/bin:/usr/bin:/bin', HOME: folder, TMPDIR: join(folder, 'tmp'), LANG: 'C.UTF-8' },
      [MARK]: folder,
    },
    // `unshare --fork` stays, and so does `timeout`; the others become what they start.
    wrappers: (timeout ? 1 : 0) + (namespaces ? 1 : 0),
    isolation: isolationOf(isNode, network, found),
  };
}

function nodeWords(request: ExecuteRequest, folder: string, found: Mechanisms): string[] {
  const { limits, network, args } = request;
  return [
    ...[process.execPath, '--permission', `--allow-fs-read=${folder}`, `--allow-fs-write=${folder}`],
    ...(network && found.nodeNetwork ? ['--allow-net'] : []),
    `--max-old-space-size=${Math.floor((limits.memoryBytes * HEAP_SHARE) / 1024 ** 2)}`,
    ...(found.namespaces ? [] : [`--import=${GUARD}`]),
    join(folder, args[0]!),
    ...args.slice(1),
  ];
}

/** What holds a run on this machine. */
export function isolationOf(isNode: boolean, network: boolean, found: Mechanisms): Isolation {
  const own = found.namespaces !== null;
  const isolation: Omit<Isolation, 'weak'> = {
    files: isNode ? 'permission' : 'none',
    network: network ? 'granted' : own ? 'namespace' : isNode && found.nodeNetwork ? 'permission' : 'none',
    processes: own ? 'namespace' : isNode ? 'permission' : 'group',
    signals: own ? 'namespace' : isNode ? 'guard' : 'none',
    limits: [
      ...['time', 'output', 'disk'],
      ...(found.counted ? ['processes', 'memory'] : []),
      ...(found.prlimit ? ['cpu', 'file size', 'open files', 'data'] : []),
      ...(found.setpriv ? ['privileges'] : []),
    ],
  };
  const weak = [
    ...(isolation.files === 'none' ? ['files'] : []),
    ...(isolation.network === 'none' ? ['network'] : []),
    ...(isolation.processes === 'group' ? ['processes'] : []),
    ...(isolation.signals === 'none' ? ['signals'] : []),
  ];
  return { ...isolation, weak };
}
