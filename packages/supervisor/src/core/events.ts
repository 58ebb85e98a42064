import type {
  CellSample,
  CpuMethod,
  EventMap,
  MemoryPressure,
  ThreadInventory,
  TunableKnob,
  UnbalancedFamily,
  WireError,
} from '@grace/contracts';

/** What happens to the core: everything from outside, already measured. */
export type CoreEvent =
  | { t: 'boot' }
  | { t: 'tick' }
  | { t: 'cell-online'; cell: string; incarnation: number; pid: number }
  /** A cell that lived on without us has dialled, with these threads. */
  | { t: 'cell-adopted'; cell: string; incarnation: number; pid: number; threads: ThreadInventory[] }
  | { t: 'cell-exit'; cell: string; incarnation: number; pid: number; code: number | null; signal: string | null }
  | { t: 'loaded'; kernel: string; incarnation: number; tid: number }
  | { t: 'started'; kernel: string; incarnation: number; verbs: string[] }
  | { t: 'start-failed'; kernel: string; incarnation: number; error: WireError }
  | {
      t: 'probed';
      kernel: string;
      incarnation: number;
      ok: boolean;
      ms: number;
      detail: Record<string, unknown>;
      error: WireError | null;
    }
  | { t: 'exited'; kernel: string; incarnation: number; code: number; error: WireError | null }
  | { t: 'drained'; kernel: string; incarnation: number }
  /** The CPU limit of a thread, as its cell has set it. */
  | { t: 'limited'; kernel: string; incarnation: number; cpu: number | null; method: CpuMethod }
  /** What the machine says about the process of a cell that is silent. */
  | {
      t: 'cell-inspected';
      cell: string;
      incarnation: number;
      /** Stopped by a signal (SIGSTOP, a debugger). */
      stopped: boolean;
      main: { cpuMs: number; runDelayMs: number } | null;
    }
  /** `terminate()` did not return: the thread sits in native code. */
  | { t: 'stuck'; kernel: string; incarnation: number }
  | { t: 'sample'; sample: CellSample }
  | { t: 'machine'; busy: number; lagMs: number }
  | { t: 'denied'; principal: string; count: number; windowMs: number; threshold: number }
  | { t: 'muted'; principal: string; denied: number; periodMs: number; ordered?: boolean }
  | { t: 'unmuted'; principal: string }
  | { t: 'unbalanced'; evidence: UnbalancedFamily }
  | { t: 'balanced'; unbalanced: number }
  | ({ t: 'backlog' } & EventMap['bus:backlog'])
  | { t: 'record-damaged'; damaged: EventMap['record:damaged'] }
  | { t: 'record-repaired'; repaired: EventMap['record:repaired'] }
  /** A fault was injected on purpose; only its correlation is remembered, never that it is a drill. */
  | { t: 'correlate'; kernels: string[]; correlation: string | undefined }
  | { t: 'restart'; kernel: string; by: string; reason: string; correlation: string | undefined }
  | { t: 'isolate'; kernel: string; by: string }
  | { t: 'pause'; kernel: string; by: string }
  | { t: 'resume'; kernel: string; by: string }
  | { t: 'quarantine'; kernel: string; by: string; reason: string }
  | { t: 'throttle'; kernel: string; by: string; cpu: number | null; forMs: number | null }
  | { t: 'tune'; kernel: string; knob: TunableKnob; value: number; by: string; reason: string }
  | { t: 'stop'; reason: string; timeoutMs: number };

/** What the core wants done. Each has an outcome that comes back as an event, or a deadline in the core. */
export type Command =
  | { do: 'spawn-cell'; cell: string; incarnation: number }
  | { do: 'kill-cell'; cell: string; incarnation: number }
  | { do: 'end-cell'; cell: string; incarnation: number }
  | { do: 'load'; kernel: string; cell: string; incarnation: number }
  | { do: 'start'; kernel: string; cell: string; incarnation: number; deadlineMs: number }
  | { do: 'probe'; kernel: string; cell: string; incarnation: number; deadlineMs: number }
  | { do: 'drain'; kernel: string; cell: string; incarnation: number; deadlineMs: number }
  | { do: 'terminate'; kernel: string; cell: string; incarnation: number; deadlineMs: number }
  /** Holds the thread to a share of one core; null: to what its manifest says, or to nothing. */
  | {
      do: 'limit';
      kernel: string;
      cell: string;
      incarnation: number;
      cpu: number | null;
    }
  /** Tells the kernel that its memory is short. */
  | { do: 'press'; kernel: string; cell: string; incarnation: number; pressure: MemoryPressure }
  /** Tells the kernel that something it needs went down or came back. */
  | { do: 'tell'; kernel: string; cell: string; need: string; up: boolean }
  /** Keeps something to look at. Nothing waits for it. */
  | {
      do: 'evidence';
      kind: 'stack' | 'error' | 'cell_output';
      kernel: string | null;
      cell: string;
      incarnation: number;
      incident: string | null;
      correlation: string | undefined;
      /** Of the process that ended. */
      pid: number | null;
      error: WireError | null;
    }
  | { do: 'inspect-cell'; cell: string; incarnation: number }
  | { do: 'continue-cell'; cell: string; incarnation: number }
  | { do: 'journal'; draft: import('@grace/contracts').AnyDraft }
  | { do: 'finish' };
