/** A rule as it is compiled: checked, without optionals. Times are milliseconds. */
export interface Rule {
  id: string;
  title: string;
  /** Subject pattern of the events it looks at. */
  on: string;
  /** CEL; null = every event. */
  when: string | null;
  /** Where in the event the key stands that windows, correlation and debounce are kept apart by; null = one for all. */
  key: string | null;
  /** Fires when `count` events came within `withinMs`; counting starts again after that. */
  window: { count: number; withinMs: number } | null;
  /** Fires when an event of this side and one of the other came within `withinMs` of each other, with the same key. */
  and: { on: string; when: string | null; key: string | null; withinMs: number } | null;
  /** Waits until no further event came for this long, then fires with the last one; at most `DEBOUNCE_MAX` times that long. 0 = at once. */
  debounceMs: number;
  /** After a firing, silent for this long. */
  cooldownMs: number;
  /** Firings allowed in a row of cause and effect before the cascade is cut. */
  depth: number;
  /** Firings allowed within a time, whatever their cause: the backstop for circles whose causes cannot be traced. */
  rate: { count: number; withinMs: number };
  /** Opens after `failures` failed firings in a row; lets one try through after `openMs`. */
  breaker: { failures: number; openMs: number };
  do: Action[];
  /** How long each action may take. */
  deadlineMs: number;
  enabled: boolean;
  source: RuleSource;
}

export type RuleSource = 'file' | 'verb' | 'probe';

export type Action =
  | { publish: { subject: string; payload: unknown } }
  | { call: { kernel: string; verb: string; input: unknown } }
  | { log: string };

/** What conditions, keys and templates may look at. */
export interface RuleEvent {
  id: string;
  subject: string;
  from: string;
  /** Wall time at the broker, ms. */
  at: number;
  correlation: string | null;
  causation: string | null;
  /** Firings that led to this event. */
  depth: number;
  payload: unknown;
}

export const EVENT_FIELDS = ['id', 'subject', 'from', 'at', 'correlation', 'causation', 'depth', 'payload'] as const;

/** Everything a rule may hold: more is refused with `TOO_LARGE`. */
export const RULE_LIMITS = {
  rules: 20_000,
  /** Of a file: checking it keeps the thread busy at its first start. */
  fileRules: 2000,
  definitionBytes: 65_536,
  actions: 16,
  windowCount: 10_000,
  conditionChars: 4000,
} as const;
