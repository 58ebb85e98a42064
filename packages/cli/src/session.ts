import type { Output } from './output/output.ts';

/** The world a command line runs in; tests give their own. */
export interface Place {
  /** Folder of compiled entries. */
  dist: string;
  /** Folder of `configs/` and `package.json`. */
  root: string;
  cwd: string;
  env: NodeJS.ProcessEnv;
  stdin: NodeJS.ReadableStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

/** What each command gets. */
export interface Session extends Place {
  /** Absolute. */
  home: string;
  /** As given with `--config`; undefined = `./grace.yaml` if it is there. */
  config: string | undefined;
  version: string;
  out: Output;
}

/** Does a command and answers with the exit code. Errors are thrown. */
export type Work = (session: Session) => Promise<number>;

/** Runs a command's work in a session made of the global options. */
export type Start = (options: GlobalOptions, work: Work) => Promise<void>;

export interface GlobalOptions {
  home: string;
  config?: string;
  json?: boolean;
  color: boolean;
  ascii?: boolean;
  verbose?: boolean;
  quiet?: boolean;
}
