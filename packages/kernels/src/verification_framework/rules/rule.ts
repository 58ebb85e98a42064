/** invariant: always, looked at on a timer. pre: before a verb is called. post: after it. */
export const RULE_KINDS = ['invariant', 'pre', 'post'] as const;
export type RuleKind = (typeof RULE_KINDS)[number];

/** Where a fact comes from. */
export type FactOrigin =
  /** What a verb of another kernel answers. */
  | { call: { kernel: string; verb: string; input: unknown } }
  /** What the supervisor says: its status document, or the incidents that are open. */
  | { supervisor: 'status' | 'incidents' }
  /** A value at hand; the functional probe's own. */
  | { given: unknown };

export interface FactSource {
  origin: FactOrigin;
  /** Part of the answer, dotted; null: all of it. */
  path: string | null;
  /** Of an object, or of each entry of a list: only these fields; null: all. */
  fields: string[] | null;
  /** What is not there by then is missing, ms. */
  withinMs: number;
}

/** What is expected, over named facts. */
export interface Condition {
  facts: Record<string, FactSource>;
  /** CEL that is true or false. */
  expect: string;
  /** CEL whose value is kept as evidence; null: the facts are. */
  show: string | null;
}

/** A rule, checked and complete. */
export interface Rule extends Condition {
  id: string;
  title: string;
  kind: RuleKind;
  /** Of an invariant: how often it is looked at, ms. */
  everyMs: number;
  /** Of an invariant: broken so many times in a row is a violation. */
  after: number;
  source: 'file' | 'verb' | 'probe';
}

/** What an expression sees beside its facts. */
export const SCOPE: Readonly<Record<RuleKind, readonly string[]>> = {
  invariant: ['nowMs'],
  pre: ['nowMs', 'input'],
  post: ['nowMs', 'input', 'answer', 'before'],
};

export const RULE_LIMITS = {
  expressionChars: 2000,
  facts: 16,
  definitionChars: 32_768,
  /** Own rules beside those of the file. */
  rules: 200,
  everyMinMs: 500,
  everyMaxMs: 86_400_000,
  withinMaxMs: 10_000,
} as const;
