import type {
  Condition,
  Conservation,
  DetectorMethod,
  EvidenceKind,
  PlaybookOutcome,
  TrialExpectation,
  TrialResult,
  Verdict,
  WaveResult,
} from '@grace/contracts';

/**
 * Everything a report says, and nothing else: the renderers add words of their own but no fact. Instants (`...Ms` without a unit of
 * their own start) are milliseconds since the first record of the run, durations are milliseconds.
 */
export interface ReportModel {
  run: RunFacts;
  overall: Overall;
  boot: BootFacts;
  systems: SystemFacts[];
  /** Null when the coding agent is not among the kernels. */
  autofix: AutofixFacts | null;
  waves: WaveFacts[];
  totals: Totals;
  exit: { code: number; reason: string };
  areas: Area[];
  issues: Issue[];
  working: Claim[];
  findings: Claim[];
  untested: Claim[];
  nextSteps: Claim[];
  conclusion: string[];
  kernels: KernelStrip[];
  workload: WorkloadPoint[];
}

/** A sentence and the journal records (`#12`) or files it rests on. */
export interface Claim {
  text: string;
  evidence: string[];
}

export interface RunFacts {
  id: string;
  seed: number | null;
  /** ISO 8601, UTC. */
  startedAt: string;
  date: string;
  time: string;
  durationMs: number | null;
  version: string;
  node: string;
  cores: number | null;
  commit: string | null;
  dirty: boolean | null;
  command: string;
  runnerLagMsMax: number | null;
  supervisorLagMsMax: number | null;
  wavesPlanned: number | null;
  trialsPerScenario: number | null;
  scenarios: string[];
  kernels: string[];
  armed: boolean | null;
  safeguardsOff: string[];
  enforcement: { cpu: string; memory: string } | null;
  interrupted: boolean | null;
  cleanup: { ok: boolean; left: string[] } | null;
  records: { count: number; first: number | null; last: number | null };
}

export type Mark = 'ok' | 'bad' | 'unknown';

export interface Overall {
  /** `HELD`, `BROKEN`, `INCONCLUSIVE`, `CLEANUP INCOMPLETE`, ... the worst that is true. */
  word: string;
  mark: Mark;
  /** All that is true beside it, in words. */
  also: string[];
}

export interface BootFacts {
  ready: number | null;
  total: number | null;
  ms: number | null;
  kernels: BootedKernel[];
  evidence: string[];
}

export interface BootedKernel {
  id: string;
  cell: string | null;
  readyMs: number | null;
  /** What the first functional probe answered. */
  probe: Record<string, unknown> | null;
  error: { code: string; message: string } | null;
  evidence: string[];
}

export interface SystemFacts {
  id: string;
  title: string;
  /** Kernel that owns it, or `supervisor`. */
  owner: string;
  /** Null: the journal does not tell. */
  started: boolean | null;
  state: 'running' | 'switched off' | 'absent' | 'failed' | 'unknown';
  why: string;
  /** Null: not in the journal. */
  counts: Record<string, number | null>;
  evidence: string[];
}

export interface AutofixFacts {
  started: boolean;
  incidents: Claim[];
  playbooks: Claim[];
  /** Not in the journal: null. */
  tasks: number | null;
  evidence: string[];
}

export interface WaveFacts extends Omit<WaveResult, 'trials'> {
  startMs: number | null;
  endMs: number | null;
  before: SteadyFacts | null;
  after: SteadyFacts | null;
  trials: TrialFacts[];
  evidence: string[];
}

export interface SteadyFacts {
  ok: boolean;
  heldMs: number;
  atMs: number;
  checks: { check: string; ok: boolean; observed: string }[];
  evidence: string[];
}

export interface TrialFacts extends TrialResult {
  /** What the scenario sets out to show, from its file. */
  proves: string | null;
  fault: string | null;
  expect: TrialExpectation | null;
  startMs: number | null;
  endMs: number | null;
  at: {
    injectedMs: number | null;
    undoneMs: number | null;
    detectedMs: number | null;
    mitigatedMs: number | null;
    recoveredMs: number | null;
  };
  detections: { method: DetectorMethod; atMs: number | null; afterMs: number | null }[];
  effectEvidence: string[];
  undo: Claim | null;
  playbookRuns: PlaybookRun[];
  incidents: { id: string; kind: string; escalated: string | null; closed: string | null; evidence: string[] }[];
  targetRestarts: Claim[];
  timedOut: boolean | null;
  runnerLagMsMax: number | null;
  reaction: Reaction;
  chain: ChainStep[];
  /** What is false or not known in this trial. */
  facets: Facet[];
}

/** What the system did about a fault beside restarts and playbooks, and what it kept to look at. */
export interface Reaction {
  /** CPU limits set and lifted, and what enforced them. */
  limits: Claim[];
  /** Memory that ran short. */
  pressure: Claim[];
  /** Rungs of the kill ladder beyond the end of a thread. */
  ladder: Claim[];
  /** Damage to a record that was found, and its repair. */
  record: Claim[];
  /** Work that piled up for a consumer. */
  backlog: Claim[];
  kept: KeptFile[];
}

export interface KeptFile {
  kind: EvidenceKind;
  kernel: string | null;
  /** Relative to the folder of the run. */
  file: string;
  bytes: number;
  /** Its most telling lines. */
  top: string[];
  evidence: string[];
}

export interface PlaybookRun {
  playbook: string;
  target: string;
  outcome: PlaybookOutcome | 'not ended';
  ms: number | null;
  detail: string;
  steps: { step: string; ok: boolean; ms: number; detail: string }[];
  evidence: string[];
}

export interface ChainStep {
  ref: string;
  /** After the first observed effect of the fault. */
  afterMs: number;
  text: string;
  /** Why it belongs to the chain: what it shares with an earlier step. */
  link: string;
}

type FacetKind =
  | 'effect not proven'
  | 'not detected'
  | 'detected late'
  | 'not recovered'
  | 'recovered late'
  | 'collateral restarts'
  | 'restart count'
  | 'lost messages'
  | 'conservation'
  | 'latency'
  | 'playbook'
  | 'check failed'
  | 'check unknown'
  | 'undo not verified'
  | 'runner late'
  | 'baseline'
  | 'calls failed'
  | 'not ended'
  | 'other';

export interface Facet {
  kind: FacetKind;
  text: string;
  evidence: string[];
  /** Journal record that shows the symptom, null when the symptom is that something is absent. */
  symptom: number | null;
}

export interface Issue {
  id: string;
  severity: 'critical' | 'major' | 'minor';
  title: string;
  problem: Claim;
  impact: Claim;
  rootCause: { established: boolean; text: string; chain: ChainStep[] };
  recommendation: Claim[];
  trial: string | null;
}

export interface Totals {
  waves: number;
  wavesPlanned: number | null;
  wavesSkipped: number;
  trials: number;
  held: number;
  broken: number;
  inconclusive: number;
  successRate: number | null;
  /** Lower bound of the 95 % Wilson interval of held among all trials. */
  successLowerBound: number | null;
  kernelsBooted: number;
  kernelsFinal: number;
  kernelsTotal: number;
  escalations: number;
  falseRestarts: number;
  lostMessages: number;
  /** Over the whole run; absent when the journal does not hold it. */
  conservation?: Conservation;
  restarts: number;
  incidents: number;
  autofixTasks: number | null;
  syntaxErrorsFound: number | null;
}

export interface Area {
  name: string;
  mark: Mark;
  text: string;
  evidence: string[];
}

export type StripState = 'up' | 'noticed' | 'starting' | 'down';

export interface KernelStrip {
  id: string;
  spans: { fromMs: number; toMs: number; state: StripState }[];
  restarts: number;
  final: string | null;
  conditions: Condition[];
}

export interface WorkloadPoint {
  fromMs: number;
  toMs: number;
  trial: string | null;
  p50Ms: number;
  p99Ms: number;
  lost: number;
  failed: number;
}

export const VERDICT_MARK: Readonly<Record<Verdict, Mark>> = { held: 'ok', broken: 'bad', inconclusive: 'unknown' };
