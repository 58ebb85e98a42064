import { join } from 'node:path';
import { type Finding, findingsOf, hash, type Remark } from '../scan/finding.ts';
import { isInside } from '../tree/place.ts';
import { walk } from '../tree/walk.ts';
import { compiler, type ts } from './compiler.ts';
import { type BoundFiles, boundFiles } from './files.ts';
import { type Project, pathIn, projectsOf } from './projects.ts';
import { createProjectService, type ProjectService } from './service.ts';

export interface TreeTask {
  root: string;
  bounds: readonly string[];
  maxFiles: number;
  maxBytes: number;
  maxFileBytes: number;
}

/** Language services that are kept for the next task, the last used at the end. They go with the thread. */
const services = new Map<string, ProjectService>();
const SERVICES_MAX = 4;

export interface SourceTree {
  readonly root: string;
  /** Of the files that are looked at: relative to the root. */
  readonly listed: ReadonlySet<string>;
  readonly services: ProjectService[];
  /** What a project says about the listed files. */
  findings(service: ProjectService): Finding[];
}

/** Opens the projects of a tree; services of an earlier task are taken up again and look at the disk anew. */
export function openTree(task: TreeTask): SourceTree {
  const walked = walk({ ...task, kinds: ['typescript'] });
  const listed = new Set(walked.files.map(({ file }) => file));
  const disk = boundFiles(task.bounds);
  const opened = projectsOf(task.root, [...listed], disk).map((project) => {
    const key = [task.root, project.config ?? '', ...task.bounds].join('\0');
    const kept = services.get(key);
    kept?.refresh(disk, project);
    const service = kept ?? createProjectService(disk, project);
    services.delete(key);
    services.set(key, service);
    return service;
  });
  for (const key of [...services.keys()].slice(0, Math.max(0, services.size - SERVICES_MAX))) services.delete(key);
  return { root: task.root, listed, services: opened, findings: (service) => findingsIn(task.root, listed, service) };
}

/** What tells whether a project has to be judged anew: its files, their content, options, and what is installed. */
export function fingerprint(tree: SourceTree, project: Project, disk: BoundFiles): string {
  const contents = project.fileNames.map((name) => `${name} ${hash(disk.readFile(name) ?? '')}`);
  const installed = [
    'package.json',
    'package-lock.json',
    'pnpm-lock.yaml',
    'yarn.lock',
    'node_modules/.package-lock.json',
  ].map((name) => disk.stamp(join(tree.root, name)) ?? '-');
  return hash([compiler().version, JSON.stringify(project.options), ...contents, ...installed].join('\n'));
}

function findingsIn(root: string, listed: ReadonlySet<string>, { program, project }: ProjectService): Finding[] {
  const ts = compiler();
  const whole = program();
  const ofConfig = [...project.problems, ...whole.getOptionsDiagnostics(), ...whole.getGlobalDiagnostics()];
  const found: Finding[] = [];
  if (project.config !== null && isInside(project.config, root))
    found.push(
      ...findingsOf(
        pathIn(root, project.config),
        'typescript',
        '',
        ofConfig.map((one) => remarkOf(ts, one)),
      ),
    );
  for (const source of whole.getSourceFiles()) {
    const file = pathIn(root, source.fileName);
    if (!listed.has(file)) continue;
    const said = [...whole.getSyntacticDiagnostics(source), ...whole.getSemanticDiagnostics(source)];
    found.push(
      ...findingsOf(
        file,
        'typescript',
        source.text,
        said.map((one) => remarkOf(ts, one)),
      ),
    );
  }
  return found;
}

function remarkOf(
  ts: typeof import('typescript6'),
  { code, messageText, start, file, category }: ts.Diagnostic,
): Remark {
  const place = file && start !== undefined ? file.getLineAndCharacterOfPosition(start) : { line: 0, character: 0 };
  return {
    rule: `ts${code}`,
    message: ts.flattenDiagnosticMessageText(messageText, ' '),
    severity: category === ts.DiagnosticCategory.Error ? 'error' : 'warning',
    line: place.line + 1,
    column: place.character + 1,
  };
}
