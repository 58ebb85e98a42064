import type { Finding } from '../scan/finding.ts';
import { boundFiles } from './files.ts';
import { pathIn } from './projects.ts';
import { fingerprint, openTree, type TreeTask } from './tree.ts';

export interface CheckTask extends TreeTask {
  /** Project -> what it was judged by last. */
  known: Readonly<Record<string, string>>;
}

export type Checked =
  | { project: string; files: number; hash: string; same: true }
  | { project: string; files: number; hash: string; same: false; findings: Finding[]; more: number };

/** Of one project; the kernel's thread writes them in one transaction. */
const FINDINGS_MAX = 5000;

/** Judges the TypeScript projects of a tree; one of which nothing has changed is not judged again. */
export function checkTree(task: CheckTask): Checked[] {
  const tree = openTree(task);
  const disk = boundFiles(task.bounds);
  return tree.services.map((service): Checked => {
    const { config, fileNames } = service.project;
    const project = config === null ? '' : pathIn(tree.root, config);
    const hash = fingerprint(tree, service.project, disk);
    const base = { project, files: fileNames.filter((name) => tree.listed.has(pathIn(tree.root, name))).length, hash };
    if (task.known[project] === hash) return { ...base, same: true };
    const findings = tree.findings(service);
    const more = Math.max(0, findings.length - FINDINGS_MAX);
    return { ...base, same: false, findings: findings.slice(0, FINDINGS_MAX), more };
  });
}
