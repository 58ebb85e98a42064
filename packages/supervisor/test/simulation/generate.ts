import { mix, Stream } from './random.ts';
import { type Injection, type Schedule, type Topology, TROUBLES } from './schedule.ts';
import { chooseTopology } from './topology.ts';

/** What a seed may do to a system; each seed is given a part of these, so that some schedules are all about one thing. */
const KINDS = [
  'trouble',
  'trouble',
  'crash',
  'trait',
  'leak',
  'ignore_drain',
  'cell_crash',
  'cell_freeze',
  'cell_birth',
  'saturate',
  'late_answers',
  'restart',
  'isolate',
  'pause',
  'quarantine',
  'throttle',
  'correlate',
  'denied',
] as const satisfies readonly Injection['do'][];

const MAX_INJECTIONS = 14;
/** Share of the injections that follow another within this time, ms. */
const CROSSING = 0.2;
const CROSSING_MS = 40;

/** How long a thread waits for a processor, ms, and the part of a core it then gets: who waits long gets little. */
const FULL_MACHINES = [
  { waitMs: 20, shares: [0.3, 0.6] },
  { waitMs: 100, shares: [0.1, 0.3] },
  { waitMs: 400, shares: [0.05, 0.1] },
  { waitMs: 1500, shares: [0.02, 0.05] },
];

export function makeSchedule(seed: number): Schedule {
  const random = new Stream(mix(seed, 1));
  const topology = chooseTopology(random);
  const spanMs = random.between(2000, 15_000);
  const kinds = random.chance(0.3) ? KINDS : Array.from({ length: random.whole(1, 5) }, () => random.pick(KINDS));
  const injections: Injection[] = [];
  for (let left = random.whole(1, MAX_INJECTIONS); left > 0; left--)
    injections.push(inject(random, topology, random.pick(kinds), random.between(0, spanMs), spanMs));
  if (random.chance(0.25))
    injections.push({
      at: random.between(0, spanMs),
      do: 'supervisor_loss',
      awayMs: random.chance(0.1) ? random.between(10_000, 14_000) : random.between(50, 3000),
      cut: random.chance(0.5) ? random.whole(1, 6) : 0,
    });
  if (random.chance(0.2))
    injections.push({ at: random.between(0, spanMs), do: 'stop', timeoutMs: random.pick([200, 1000, 5000]) });
  // Some things happen at nearly the same moment: that is where orders, answers and ends cross.
  const crossing = new Stream(mix(seed, 5));
  for (const [index, injection] of injections.entries()) {
    const before = injections[index - 1];
    if (!before || !crossing.chance(CROSSING)) continue;
    injection.at = before.at + crossing.between(0, CROSSING_MS);
    if ('kernel' in injection && 'kernel' in before) injection.kernel = before.kernel;
  }
  injections.sort((a, b) => a.at - b.at);
  return { seed, topology, injections, calmAt: Math.max(spanMs, injections.at(-1)!.at + 1) };
}

function inject(
  random: Stream,
  topology: Topology,
  kind: (typeof KINDS)[number],
  at: number,
  spanMs: number,
): Injection {
  const kernel = random.pick(topology.kernels).id;
  const cell = random.pick(topology.cells);
  const forMs = random.between(50, Math.max(100, spanMs - at));
  switch (kind) {
    case 'trouble': {
      const trouble = random.pick(TROUBLES);
      const cured = ['spin', 'native', 'wait', 'deadlock', 'wrong'].includes(trouble) && random.chance(0.6);
      return { at, do: kind, kernel, trouble, forMs: cured ? null : forMs };
    }
    case 'crash':
      return { at, do: kind, kernel, code: random.chance(0.2) ? 0 : 1 };
    case 'trait':
      return {
        at,
        do: kind,
        kernel,
        trait: random.pick(['load_fails', 'load_crashes', 'start_throws', 'start_hangs', 'probe_fails', 'dies']),
        starts: random.chance(0.2) ? 1000 : random.whole(1, 4),
        afterMs: random.pick([0, 5, 200, 1000, 5000]),
        code: random.pick(['INTERNAL', 'INTERNAL', 'KERNEL_START', 'KERNEL_MISSING', 'STORAGE_FULL']),
      };
    case 'leak':
      return { at, do: kind, kernel, of: random.pick(['heap', 'external']), limitInMs: random.between(300, 12_000) };
    case 'ignore_drain':
      return { at, do: kind, kernel };
    case 'cell_crash':
      return { at, do: kind, cell, signal: random.pick(['SIGSEGV', 'SIGABRT', 'SIGKILL']) };
    case 'cell_freeze':
      return {
        at,
        do: kind,
        cell,
        stopped: random.chance(0.6),
        forMs: random.between(100, 12_000),
        again: random.chance(0.3) ? random.whole(1, 20) : 0,
      };
    case 'cell_birth':
      return {
        at: random.chance(0.5) ? 0 : at,
        do: kind,
        cell,
        fate: random.pick(['late', 'never', 'ends', 'disk_full']),
        spawns: random.whole(1, 3),
      };
    case 'saturate': {
      const { waitMs, shares } = random.pick(FULL_MACHINES);
      return { at, do: kind, forMs, waitMs, share: random.pick(shares) };
    }
    case 'late_answers':
      return { at, do: kind, cell, forMs, ms: random.pick([10, 25, 50]) };
    case 'restart':
      return { at, do: kind, kernel, by: random.chance(0.3) ? 'self_healing' : 'operator' };
    case 'isolate':
    case 'quarantine':
      return { at, do: kind, kernel };
    case 'pause':
      return { at, do: kind, kernel, resumeAfterMs: random.chance(0.7) ? random.between(0, 4000) : null };
    case 'throttle':
      return {
        at,
        do: kind,
        kernel,
        cpu: random.chance(0.2) ? null : random.pick([0.05, 0.2, 0.5]),
        forMs: random.chance(0.5) ? forMs : null,
      };
    case 'correlate':
      return { at, do: kind, kernels: [kernel], correlation: `c${Math.floor(at)}` };
    case 'denied':
      return {
        at,
        do: kind,
        principal: random.chance(0.5) ? kernel : 'stranger',
        count: random.whole(1, 400),
        mutedForMs: random.chance(0.5) ? random.between(100, 4000) : null,
      };
    default:
      return kind satisfies never;
  }
}
