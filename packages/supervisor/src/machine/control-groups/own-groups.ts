import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folders of the control groups that this process is in; null where there is no such hierarchy, or it is not to be seen from here. */
export interface OwnGroups {
  /** v1, cpu controller. */
  cpu: string | null;
  /** v1, memory controller. */
  memory: string | null;
  /** v2. */
  unified: string | null;
}

/** Those of the main thread; empty where there is no /proc. */
export function ownGroups(): OwnGroups {
  try {
    return locateGroups(readFileSync('/proc/self/mountinfo', 'latin1'), readFileSync('/proc/self/cgroup', 'latin1'));
  } catch {
    return { cpu: null, memory: null, unified: null };
  }
}

/** Brings `/proc/<pid>/mountinfo` and `/proc/<pid>/cgroup` together (proc(5), cgroups(7)). Pure. */
export function locateGroups(mountinfo: string, cgroup: string): OwnGroups {
  const mounts = mountinfo.split('\n').flatMap(mountOf);
  const memberships = cgroup.split('\n').flatMap(membershipOf);
  const find = (type: string, controller: string | null): string | null => {
    const path = memberships.find(({ controllers }) =>
      controller === null ? controllers.length === 0 : controllers.includes(controller),
    )?.path;
    if (path === undefined) return null;
    const within = mounts.find(
      (mount) => mount.type === type && (controller === null || mount.options.includes(controller)),
    );
    return within ? below(within, path) : null;
  };
  return { cpu: find('cgroup', 'cpu'), memory: find('cgroup', 'memory'), unified: find('cgroup2', null) };
}

interface Mount {
  /** The part of the hierarchy that is mounted. */
  root: string;
  point: string;
  type: string;
  options: string[];
}

/** `31 23 0:28 ROOT POINT rw,relatime [optional...] - TYPE SOURCE OPTIONS` */
function mountOf(line: string): Mount[] {
  const [head, tail] = line.split(' - ');
  if (head === undefined || tail === undefined) return [];
  const [, , , root, point] = head.split(' ').map(decode);
  const [type, , options] = tail.split(' ');
  return root === undefined || point === undefined || type === undefined
    ? []
    : [{ root, point, type, options: options?.split(',') ?? [] }];
}

/** `4:cpu,cpuacct:/path`, v2 is `0::/path`. */
function membershipOf(line: string): { controllers: string[]; path: string }[] {
  const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
  return match ? [{ controllers: match[1] ? match[1].split(',') : [], path: match[2]! }] : [];
}

/** A group outside of what is mounted, as a container may see its own, has no folder here. */
function below({ root, point }: Mount, path: string): string | null {
  if (path.split('/').includes('..')) return null;
  const inside = root === '/' ? path : path === root || path.startsWith(`${root}/`) ? path.slice(root.length) : null;
  return inside === null ? null : join(point, inside).replace(/\/$/, '');
}

/** Spaces and the like are written as `\040`. */
function decode(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
