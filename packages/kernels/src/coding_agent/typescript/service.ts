import { compiler, type ts } from './compiler.ts';
import type { BoundFiles } from './files.ts';
import type { Project } from './projects.ts';

/** A language service over a project, with files that are thought to be other than on the disk. */
export interface ProjectService {
  readonly service: ts.LanguageService;
  readonly project: Project;
  program(): ts.Program;
  /** Absolute path -> text, until the next call. */
  imagine(files: ReadonlyMap<string, string>): void;
  /** Looks at the disk anew, and takes the project as it is configured now. */
  refresh(disk: BoundFiles, project: Project): void;
}

export function createProjectService(disk: BoundFiles, project: Project): ProjectService {
  const ts = compiler();
  const read = new Map<string, { stamp: string; snapshot: ts.IScriptSnapshot }>();
  const imagined = new Map<string, { version: string; snapshot: ts.IScriptSnapshot; text: string }>();
  const self = { disk, project, generation: 0 };

  const snapshotOf = (path: string): { stamp: string; snapshot: ts.IScriptSnapshot } | undefined => {
    const known = read.get(path);
    if (known) return known;
    const stamp = self.disk.stamp(path);
    const text = stamp === null ? undefined : self.disk.readFile(path);
    if (stamp === null || text === undefined) return undefined;
    const entry = { stamp, snapshot: ts.ScriptSnapshot.fromString(text) };
    read.set(path, entry);
    return entry;
  };
  const host: ts.LanguageServiceHost = {
    getCompilationSettings: () => self.project.options,
    getScriptFileNames: () => self.project.fileNames,
    getScriptVersion: (path) => imagined.get(path)?.version ?? snapshotOf(path)?.stamp ?? 'absent',
    getScriptSnapshot: (path) => imagined.get(path)?.snapshot ?? snapshotOf(path)?.snapshot,
    getCurrentDirectory: () => (self.project.config ? self.project.config.replace(/\/[^/]*$/, '') : '/'),
    getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
    readFile: (path) => imagined.get(path)?.text ?? self.disk.readFile(path),
    fileExists: (path) => imagined.has(path) || self.disk.fileExists(path),
    directoryExists: (path) => self.disk.directoryExists(path),
    getDirectories: (path) => self.disk.getDirectories(path),
    realpath: (path) => self.disk.realpath(path),
    readDirectory: (...args) => self.disk.readDirectory(...args),
    useCaseSensitiveFileNames: () => true,
  };
  const service = ts.createLanguageService(host, ts.createDocumentRegistry(true));

  return {
    service,
    get project() {
      return self.project;
    },
    program() {
      const program = service.getProgram();
      if (!program) throw new Error('the language service has no program');
      return program;
    },
    imagine(files) {
      imagined.clear();
      for (const [path, text] of files)
        imagined.set(path, {
          text,
          version: `imagined ${++self.generation}`,
          snapshot: ts.ScriptSnapshot.fromString(text),
        });
    },
    refresh(nextDisk, nextProject) {
      self.disk = nextDisk;
      self.project = nextProject;
      imagined.clear();
      for (const [path, { stamp }] of read) if (nextDisk.stamp(path) !== stamp) read.delete(path);
    },
  };
}
