import { basename, dirname, join } from 'node:path';
import type { GroupFiles } from '../src/machine/control-groups/group-files.ts';

interface Group {
  parent: Group | null;
  threaded: boolean;
  /** Controllers given to the groups inside. */
  subtree: Set<string>;
  /** tid -> pid */
  tasks: Map<number, number>;
  children: Map<string, Group>;
  values: Map<string, string>;
}

const THREADED_CONTROLLERS = ['cpu', 'cpuset', 'pids'];
const KNOWN_CONTROLLERS = [...THREADED_CONTROLLERS, 'memory', 'io', 'hugetlb'];
const CPU_MAX = 'max 100000';

/**
 * A tree of v2 control groups that refuses what the kernel refuses, for machines whose v2 has no controllers. Its rules are those of
 * kernel/cgroup/cgroup.c: cgroup_is_thread_root, cgroup_is_valid_domain, cgroup_can_be_thread_root, cgroup_vet_subtree_control_enable,
 * cgroup_enable_threaded, cgroup_migrate_vet_dst, cgroup_attach_permissions. unified-tree.test.ts holds it against a real tree.
 */
export class UnifiedTree implements GroupFiles {
  readonly #root = fresh(null);
  readonly #controllers: readonly string[];
  readonly point: string;

  constructor(point: string, controllers: readonly string[]) {
    this.point = point;
    this.#controllers = controllers;
  }

  /** A process that was there before, with its threads. */
  settle(group: string, pid: number, tids: readonly number[] = [pid]): void {
    for (const tid of tids) this.#at(group).tasks.set(tid, pid);
  }

  exit(pid: number): void {
    for (const group of this.#all()) for (const [tid, owner] of group.tasks) if (owner === pid) group.tasks.delete(tid);
  }

  where(tid: number): string | undefined {
    return this.#paths().find(([, group]) => group.tasks.has(tid))?.[0];
  }

  paths(): string[] {
    return this.#paths().map(([path]) => path);
  }

  async read(path: string): Promise<string> {
    const group = this.#at(dirname(path));
    switch (basename(path)) {
      case 'cgroup.controllers':
        return this.#available(group).join(' ');
      case 'cgroup.subtree_control':
        return [...group.subtree].join(' ');
      case 'cgroup.type':
        if (group.parent === null) throw refusal('ENOENT', path);
        return typeOf(group);
      case 'cgroup.threads':
        return lines([...group.tasks.keys()]);
      case 'cgroup.procs':
        if (group.threaded) throw refusal('ENOTSUP', path);
        return lines([...new Set(within(group).flatMap((one) => [...one.tasks.values()]))]);
      default:
        return this.#value(group, path);
    }
  }

  async write(path: string, text: string): Promise<void> {
    const group = this.#at(dirname(path));
    switch (basename(path)) {
      case 'cgroup.subtree_control':
        return this.#give(group, path, text.trim().split(' '));
      case 'cgroup.type':
        if (group.parent === null) throw refusal('ENOENT', path);
        if (text.trim() !== 'threaded') throw refusal('EINVAL', path);
        return thread(group, path);
      case 'cgroup.threads':
        return this.#move(group, path, Number(text), false);
      case 'cgroup.procs':
        return this.#move(group, path, Number(text), true);
      default:
        this.#value(group, path);
        group.values.set(basename(path), checked(path, text));
    }
  }

  async make(path: string): Promise<void> {
    const parent = this.#at(dirname(path));
    if (!parent.children.has(basename(path))) parent.children.set(basename(path), fresh(parent));
  }

  async remove(path: string): Promise<void> {
    const group = this.#at(path);
    if (group.tasks.size > 0 || group.children.size > 0) throw refusal('EBUSY', path);
    group.parent?.children.delete(basename(path));
  }

  async list(path: string): Promise<string[]> {
    return [...this.#at(path).children.keys()];
  }

  #at(path: string): Group {
    if (path !== this.point && !path.startsWith(`${this.point}/`)) throw refusal('ENOENT', path);
    let group: Group | undefined = this.#root;
    for (const name of path.slice(this.point.length).split('/').filter(Boolean)) group = group?.children.get(name);
    if (!group) throw refusal('ENOENT', path);
    return group;
  }

  #paths(group = this.#root, path = this.point): [string, Group][] {
    return [[path, group], ...[...group.children].flatMap(([name, child]) => this.#paths(child, join(path, name)))];
  }

  #all(): Group[] {
    return within(this.#root);
  }

  #available(group: Group): string[] {
    const given = group.parent === null ? [...this.#controllers] : [...group.parent.subtree];
    return group.threaded ? given.filter((name) => THREADED_CONTROLLERS.includes(name)) : given;
  }

  /** A controller's file is there when the parent gives that controller. */
  #value(group: Group, path: string): string {
    const [controller] = basename(path).split('.');
    if (group.parent === null || !this.#available(group).includes(controller!)) throw refusal('ENOENT', path);
    const defaults: Record<string, string> = { 'cpu.max': CPU_MAX, 'memory.max': 'max' };
    const value = group.values.get(basename(path)) ?? defaults[basename(path)];
    if (value === undefined) throw refusal('ENOENT', path);
    return value;
  }

  #give(group: Group, path: string, words: readonly string[]): void {
    const names = words.map((word) => word.replace(/^\+/, ''));
    if (names.some((name) => !KNOWN_CONTROLLERS.includes(name))) throw refusal('EINVAL', path);
    if (names.some((name) => !this.#available(group).includes(name))) throw refusal('ENOENT', path);
    if (!isValidDomain(domainOf(group))) throw refusal('ENOTSUP', path);
    if (group.parent !== null) {
      if (names.some((name) => !THREADED_CONTROLLERS.includes(name))) {
        if (isThreadRoot(group) || group.threaded) throw refusal('ENOTSUP', path);
        if (group.tasks.size > 0) throw refusal('EBUSY', path);
      } else if (!canBeThreadRoot(group) && !group.threaded && group.tasks.size > 0) throw refusal('EBUSY', path);
    }
    for (const name of names) group.subtree.add(name);
  }

  #move(to: Group, path: string, id: number, whole: boolean): void {
    const from = this.#all().find(({ tasks }) => tasks.has(id));
    if (!from) throw refusal('ESRCH', path);
    if (!isValidDomain(domainOf(to))) throw refusal('ENOTSUP', path);
    if (to.parent !== null && !canBeThreadRoot(to) && !to.threaded && to.subtree.size > 0) throw refusal('EBUSY', path);
    if (!whole && domainOf(from) !== domainOf(to)) throw refusal('ENOTSUP', path);
    const pid = from.tasks.get(id)!;
    for (const group of this.#all()) {
      // A copy: what is put back into the same group would be met again, for ever.
      for (const [tid, owner] of [...group.tasks]) {
        if (whole ? owner !== pid : tid !== id) continue;
        group.tasks.delete(tid);
        to.tasks.set(tid, owner);
      }
    }
  }
}

function fresh(parent: Group | null): Group {
  return { parent, threaded: false, subtree: new Set(), tasks: new Map(), children: new Map(), values: new Map() };
}

function thread(group: Group, path: string): void {
  if (group.threaded) return;
  const isPopulated = within(group).some(({ tasks }) => tasks.size > 0);
  if (isPopulated || [...group.subtree].some((name) => !THREADED_CONTROLLERS.includes(name)))
    throw refusal('ENOTSUP', path);
  const domain = domainOf(group.parent!);
  if (!isValidDomain(domain) || !canBeThreadRoot(domain)) throw refusal('ENOTSUP', path);
  group.threaded = true;
}

function within(group: Group): Group[] {
  return [group, ...[...group.children.values()].flatMap(within)];
}

function domainOf(group: Group): Group {
  return group.threaded ? domainOf(group.parent!) : group;
}

function isThreadRoot(group: Group): boolean {
  if (group.threaded) return false;
  if ([...group.children.values()].some(({ threaded }) => threaded)) return true;
  return group.tasks.size > 0 && THREADED_CONTROLLERS.some((name) => group.subtree.has(name));
}

function isValidDomain(group: Group): boolean {
  if (group.threaded) return false;
  for (let above = group.parent; above; above = above.parent) {
    if (above.threaded || (above.parent !== null && isThreadRoot(above))) return false;
  }
  return true;
}

function canBeThreadRoot(group: Group): boolean {
  if (group.parent === null) return true;
  if (group.threaded) return false;
  const hasDomains = [...group.children.values()].some(
    (child) => !child.threaded && within(child).some(({ tasks }) => tasks.size > 0),
  );
  return !hasDomains && [...group.subtree].every((name) => THREADED_CONTROLLERS.includes(name));
}

function typeOf(group: Group): string {
  if (group.threaded) return 'threaded';
  if (!isValidDomain(group)) return 'domain invalid';
  return isThreadRoot(group) ? 'domain threaded' : 'domain';
}

function checked(path: string, text: string): string {
  if (basename(path) === 'memory.max') return String(Number(text) - (Number(text) % 4096));
  const [quota, period = '100000'] = text.split(' ');
  const isPeriod = Number(period) >= 1000 && Number(period) <= 1e6;
  if (!isPeriod || (quota !== 'max' && !(Number(quota) >= 1000))) throw refusal('EINVAL', path);
  return `${quota} ${period}`;
}

function lines(values: readonly number[]): string {
  return values.map((value) => `${value}\n`).join('');
}

function refusal(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
