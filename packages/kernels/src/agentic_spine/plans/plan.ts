/** A verb of another kernel with what it is given. Texts may hold templates, see template.ts. */
export interface Call {
  kernel: string;
  verb: string;
  input: unknown;
}

/** What must be so. */
export interface Expectation {
  /** A verb that only looks; its answer is `seen`. Null: nothing is looked at but what is known. */
  call: Call | null;
  /** CEL that is true or false. */
  expect: string;
  withinMs: number;
}

/**
 * Whether a verb may be called again when it is not known if it was done. idempotent: the same input has the same effect. keyed: its input
 * holds `{{key}}`, by which it knows a repetition. no: it may not.
 */
export const REPEATS = ['no', 'idempotent', 'keyed'] as const;
export type Repeat = (typeof REPEATS)[number];

export interface Step {
  id: string;
  title: string;
  call: Call;
  /** Of one attempt, with waiting for a kernel that is being restarted. */
  deadlineMs: number;
  repeat: Repeat;
  /** 1 unless it may be repeated. */
  attempts: number;
  delayMs: number;
  verify: Expectation | null;
  /** Takes the step back. It may be done twice, and also when it is not known whether the step was done. */
  compensate: Call | null;
}

export const INPUT_TYPES = ['text', 'name', 'number', 'boolean', 'list', 'object'] as const;
export type InputType = (typeof INPUT_TYPES)[number];

export interface PlanInput {
  type: InputType;
  title: string;
  required: boolean;
  /** Used where nobody gives another. */
  fallback: unknown;
  /** A template over `goal` and `event`, where the submitter gives nothing. */
  from: string | null;
}

/** A plan, checked and complete. */
export interface Plan {
  id: string;
  title: string;
  /** Texts with `{input}` for one word or `{input...}` for several. */
  patterns: string[];
  keywords: string[];
  /** CEL over goal, input, event and context; null: always. */
  when: string | null;
  inputs: Record<string, PlanInput>;
  steps: Step[];
  /** What must be so when all steps are done. */
  post: Expectation | null;
  /** Of the whole goal, with waiting for approvals. */
  deadlineMs: number;
}

export const PLAN_LIMITS = {
  fileChars: 64 * 1024,
  plans: 200,
  steps: 20,
  inputs: 20,
  patterns: 20,
  keywords: 30,
  /** Templates in one input, and how deep it may be. */
  holes: 50,
  depth: 12,
  templateChars: 8 * 1024,
  /** Of a call's input, templates filled in. */
  inputChars: 64 * 1024,
  stepMaxMs: 10 * 60_000,
  goalMaxMs: 7 * 24 * 3_600_000,
} as const;

/** What templates and expressions of a plan may begin with. */
export const ROOTS = ['goal', 'input', 'event', 'context', 'steps', 'key'] as const;
