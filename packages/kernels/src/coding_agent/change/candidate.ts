import type { Finding } from '../scan/finding.ts';

/** A file as it is, and as a strategy would have it. */
export interface PatchFile {
  file: string;
  before: string;
  after: string;
  /** SHA-256 of the bytes, hex. */
  beforeHash: string;
  afterHash: string;
}

/** One way to mend a finding. */
export interface Candidate {
  /** `language-service:import`, `ruff:F401`, `codemod:add-parameter`, `syntax:trailing-comma` */
  strategy: string;
  /** What it does, in one sentence. */
  reason: string;
  /** 0 to 1; by strategy, less where there were others like it. */
  confidence: number;
  files: PatchFile[];
}

export interface RepairTask {
  root: string;
  /** The configured roots, real: nothing outside is read. */
  bounds: readonly string[];
  signature: string;
  file: string;
  /** What the finding alone needs, or all findings of its rule in the file. */
  scope: Scope;
  maxFiles: number;
  maxBytes: number;
  maxFileBytes: number;
  ruff: readonly string[];
}

export const SCOPES = ['finding', 'file'] as const;
export type Scope = (typeof SCOPES)[number];

export interface Proposed {
  /** As it is seen now; null: it is not there any more. */
  finding: Finding | null;
  /** Best first. */
  candidates: Candidate[];
}

export interface ProofTask extends RepairTask {
  /** As it was when the candidate was made. */
  finding: Finding;
  candidate: Candidate;
}

/** What a look at the tree with the candidate in it has shown. */
export interface Proof {
  isGone: boolean;
  /** Findings that were not there before, at most 20. */
  fresh: string[];
  /** How many findings there were and are, in what was looked at. */
  before: number;
  after: number;
  /** Findings that a file which could not be parsed had hidden. */
  revealed: number;
  /** What was looked at, in words. */
  how: string;
}
