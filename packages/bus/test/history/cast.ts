/** Who takes part in a run, where, and in what part. Everything here is data: the same for every seed. */
import type { ConsumerKind } from './entries.ts';

export const DURABLE_SUBJECTS = ['task.history.a', 'task.history.b', 'task.history.c'];
const NORMAL_SUBJECTS = ['history.normal.a', 'history.normal.b'];
/** Nobody may publish here, and `overhear` listens. */
export const FORBIDDEN_SUBJECT = 'history.forbidden.a';
/** Larger messages are refused; small, so that trying it costs little. */
export const MAX_PAYLOAD_BYTES = 16_000;
/** A durable message is tried this often, then it is a dead letter. */
export const MAX_ATTEMPTS = 6;
export const BACKOFF_MS = [20, 100, 300];

export interface Part {
  publishes: readonly string[];
  /** Tries what must be refused. */
  trespasses: boolean;
  consumers: readonly Consumer[];
}

export interface Consumer {
  /** Members of different participants share a durable name or a group by the same name. */
  name: string;
  pattern: string;
  kind: ConsumerKind;
  /** A handler takes up to so long; 0: it answers in the same turn. */
  slowMs: number;
  /** The share of deliveries it refuses. */
  nakShare: number;
  /** Refuses poisoned messages at every attempt. */
  isPoisoned: boolean;
}

const consumer = (name: string, kind: ConsumerKind, pattern: string, more: Partial<Consumer> = {}): Consumer => ({
  name,
  kind,
  pattern,
  slowMs: 0,
  nakShare: 0,
  isPoisoned: false,
  ...more,
});

const everyNormal = consumer('overhear', 'plain', 'history.*.*');
const shareNormal = consumer('share', 'plain-group', 'history.normal.*', { slowMs: 4 });
const workers = consumer('workers', 'durable-group', 'task.history.*', {
  slowMs: 80,
  nakShare: 0.03,
  isPoisoned: true,
});
const part = (
  consumers: Consumer[],
  publishes = [...DURABLE_SUBJECTS, ...NORMAL_SUBJECTS],
  trespasses = false,
): Part => ({ publishes, trespasses, consumers });

/** In the cell of the broker: wired by ports. */
const CORE: Record<string, Part> = {
  core_a: part([consumer('core_all', 'durable', 'task.history.*'), shareNormal]),
  core_b: part([workers, everyNormal], []),
};

/** In cells of their own: wired by sockets. */
const FAR: Record<string, { cell: string } & Part> = {
  far_a: {
    cell: 'far',
    ...part([workers, consumer('slow', 'durable-ordered', 'task.history.a', { slowMs: 30, nakShare: 0.05 })]),
  },
  far_b: { cell: 'edge', ...part([workers, everyNormal, shareNormal]) },
};

/** In processes outside of the system: wired by sockets, under the rules of outside principals. */
export const OUTSIDE: Record<string, Part> = {
  outside_a: part([consumer('outside_all', 'durable', 'task.history.*', { nakShare: 0.01 }), everyNormal]),
  outside_b: part([workers, shareNormal], DURABLE_SUBJECTS, true),
};

export const KERNELS: Readonly<Record<string, { cell: string } & Part>> = {
  ...Object.fromEntries(Object.entries(CORE).map(([id, about]) => [id, { cell: 'core', ...about }])),
  ...FAR,
};
/** Moved into a cell of its own when that is its turn: from the port to a socket. */
export const ISOLATED = 'core_b';
export const FAR_CELLS = Object.values(FAR).map(({ cell }) => cell);
