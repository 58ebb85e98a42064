import type { Criticality, RestartClass } from './lifecycle.ts';

/** Commands a kernel may be granted to ask of the supervisor over its control lane. */
export const SUPERVISOR_COMMANDS = [
  'restart',
  'isolate',
  'throttle',
  'tune',
  'probe',
  'status',
  'incident',
  'journal',
  'verbs',
  'call',
] as const;
export type SupervisorCommand = (typeof SUPERVISOR_COMMANDS)[number];

/**
 * A kernel as data: everything the supervisor must know without running it. All values are checked and filled in; nothing is optional.
 * Times are milliseconds, sizes bytes.
 */
export interface KernelManifest {
  /** snake_case; also its thread name, its principal on the bus and its word in a report. */
  id: string;
  /** One line: what it does. */
  title: string;
  /** Absolute path of the compiled module whose default export is the kernel. */
  module: string;
  /** Whether the module belongs to the product; a user's module is `false`. */
  builtin: boolean;
  /** The host process it lives in. */
  cell: string;
  /** Kernels that must be ready before this one starts. */
  needs: readonly string[];
  criticality: Criticality;
  limits: KernelLimits;
  /** How often the thread stamps its heartbeat slot. */
  heartbeatMs: number;
  /** A heartbeat older than this is late: it is noticed, nothing more. */
  lateAfterMs: number;
  /** CPU time a thread may burn, or silence it may keep with its event loop stuck, before it counts as hung. */
  hungAfterMs: number;
  probe: { intervalMs: number; deadlineMs: number };
  startDeadlineMs: number;
  drainDeadlineMs: number;
  restart: RestartPolicy;
  /** What it may ask of the supervisor. */
  commands: readonly SupervisorCommand[];
  /** Its own settings, passed on as `ctx.config`. */
  config: Readonly<Record<string, unknown>>;
}

export interface KernelLimits {
  /** Share of one core that its thread may use, held continuously: 0.2 = 20 %. Null: none. */
  cpu: number | null;
  /** Heap of the thread. Watched, and restarted at it in an orderly way; V8's own limit stands above, where only an accident reaches it. */
  heapBytes: number;
  /** Memory outside the heap: Buffers and typed arrays. V8 never limits it. WebAssembly and shared memory are not counted: they only show in the cell's size. */
  externalBytes: number;
  /** Messages a second it may publish on the bus. */
  messagesPerSecond: number;
}

/** Restart budget in OTP's sense, kept for each kind of cause apart: at most `budget` restarts in `windowMs`, then quarantine. */
export interface RestartPolicy {
  class: RestartClass;
  budget: number;
  windowMs: number;
  /** First delay; doubles each time up to `backoffMaxMs`, +-20 % jitter. 0 = the first restart is immediate. */
  backoffMs: number;
  backoffMaxMs: number;
  /** After this long in `running` the back-off starts from the beginning. */
  resetAfterMs: number;
}

/** What a kernel's folder states; the catalogue fills in the defaults. */
export type ManifestSource = Pick<KernelManifest, 'id' | 'title' | 'cell'> & {
  [K in Exclude<
    keyof KernelManifest,
    'id' | 'title' | 'cell' | 'module' | 'builtin'
  >]?: KernelManifest[K] extends readonly unknown[]
    ? KernelManifest[K]
    : KernelManifest[K] extends object
      ? Partial<KernelManifest[K]>
      : KernelManifest[K];
};

export const MANIFEST_DEFAULTS: Omit<KernelManifest, 'id' | 'title' | 'cell' | 'module' | 'builtin'> = {
  needs: [],
  criticality: 'standard',
  limits: { cpu: null, heapBytes: 256 * 1024 ** 2, externalBytes: 256 * 1024 ** 2, messagesPerSecond: 50_000 },
  heartbeatMs: 100,
  lateAfterMs: 250,
  hungAfterMs: 400,
  probe: { intervalMs: 5000, deadlineMs: 2000 },
  startDeadlineMs: 10_000,
  drainDeadlineMs: 2000,
  restart: { class: 'permanent', budget: 5, windowMs: 60_000, backoffMs: 0, backoffMaxMs: 5000, resetAfterMs: 30_000 },
  commands: [],
  config: {},
};

export function completeManifest(source: ManifestSource, place: { module: string; builtin: boolean }): KernelManifest {
  const d = MANIFEST_DEFAULTS;
  return {
    ...d,
    ...source,
    ...place,
    limits: { ...d.limits, ...source.limits },
    probe: { ...d.probe, ...source.probe },
    restart: { ...d.restart, ...source.restart },
    config: { ...d.config, ...source.config },
  };
}
