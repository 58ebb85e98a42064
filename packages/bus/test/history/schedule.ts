import { FAR_CELLS, ISOLATED, KERNELS, OUTSIDE } from './cast.ts';
import { Random } from './random.ts';

/** What is done to the system, and how often at most: its own protection against repetition must not change the cast. */
const KINDS = {
  /** A kernel's thread throws: nothing it held is finished. */
  kernel_throw: { targets: Object.keys(KERNELS), everyMs: 4000 },
  /** By hand: the kernel is drained and started again. */
  kernel_restart: { targets: Object.keys(KERNELS), everyMs: 4000 },
  /** By hand, once: drained, and started in a cell of its own. */
  kernel_isolate: { targets: [ISOLATED], everyMs: Number.POSITIVE_INFINITY },
  /** SIGKILL of a host process without the broker. Three within a minute would dissolve it. */
  cell_kill: { targets: FAR_CELLS, everyMs: 31_000 },
  /** The broker's thread throws. */
  broker_throw: { targets: ['message_bus'], everyMs: 8000 },
  /** SIGKILL of the process of the broker, and of the kernels beside it. */
  broker_kill: { targets: ['core'], everyMs: 31_000 },
  /** SIGKILL; it is started again at most ten times a minute. */
  supervisor_kill: { targets: ['supervisor'], everyMs: 8000 },
  /** SIGKILL of a process outside. */
  outside_kill: { targets: Object.keys(OUTSIDE), everyMs: 4000 },
} as const;

export type StrikeKind = keyof typeof KINDS;
export const STRIKE_KINDS = Object.keys(KINDS) as StrikeKind[];

export interface Strike {
  /** Since the beginning of the traffic, ms. */
  atMs: number;
  kind: StrikeKind;
  target: string;
}

/** One of every kind first, in an order the seed decides; then what the seed decides, as long as there is time. */
export function makeSchedule(seed: number, durationMs: number): Strike[] {
  const random = new Random(seed);
  const strikes: Strike[] = [];
  const last = new Map<string, number>();
  const allowed = (kind: StrikeKind, atMs: number): string[] =>
    KINDS[kind].targets.filter((target) => atMs - (last.get(`${kind} ${target}`) ?? -Infinity) >= KINDS[kind].everyMs);
  const gapMax = Math.max(600, Math.min(4000, durationMs / 12));
  const first = random.shuffle(STRIKE_KINDS);
  for (let atMs = random.whole(300, 900); atMs < durationMs || first.length > 0; ) {
    const kind = first.shift() ?? random.pick(STRIKE_KINDS.filter((one) => allowed(one, atMs).length > 0));
    if (kind === undefined) {
      atMs += 500;
      continue;
    }
    const target = random.pick(allowed(kind, atMs))!;
    last.set(`${kind} ${target}`, atMs);
    strikes.push({ atMs, kind, target });
    // One in five comes together with the next.
    atMs += random.next() < 0.2 ? random.whole(0, 30) : random.whole(200, gapMax);
  }
  return strikes;
}

export const inWords = ({ atMs, kind, target }: Strike): string => `${atMs} ms ${kind} ${target}`;
