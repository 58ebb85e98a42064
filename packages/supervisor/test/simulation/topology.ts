import { SETTINGS_DEFAULTS } from '@grace/contracts';
import { manifestOf } from '../world.ts';
import type { Stream } from './random.ts';
import type { Topology } from './schedule.ts';

/** A system: 2 to 12 kernels in 1 to 4 cells, with needs that make no circle, and policies that differ. */
export function chooseTopology(random: Stream): Topology {
  const cells = Array.from({ length: random.whole(1, 4) }, (_, n) => `cell${n + 1}`);
  const count = random.chance(0.5) ? random.whole(2, 4) : random.whole(5, 12);
  const ids = Array.from({ length: count }, (_, n) => `k${n + 1}`);
  if (random.chance(0.5)) ids[0] = 'message_bus';
  const kernels = ids.map((id, n) =>
    manifestOf(id, {
      cell: random.pick(cells),
      needs: [...new Set(Array.from({ length: n === 0 ? 0 : random.whole(0, 2) }, () => ids[random.whole(0, n - 1)]!))],
      criticality: random.pick(['critical', 'standard', 'optional']),
      heartbeatMs: random.pick([50, 100]),
      hungAfterMs: random.pick([400, 400, 800]),
      probe: { intervalMs: random.pick([500, 2000, 5000]), deadlineMs: random.pick([500, 1000, 2000]) },
      startDeadlineMs: random.pick([1500, 5000, 10_000]),
      drainDeadlineMs: random.pick([100, 500, 2000]),
      limits: random.chance(0.15) ? { cpu: random.pick([0.1, 0.5]) } : {},
      restart: {
        class: random.pick(['permanent', 'permanent', 'permanent', 'transient', 'temporary']),
        budget: random.pick([0, 1, 2, 5, 5]),
        windowMs: random.pick([5000, 60_000]),
        backoffMs: random.pick([0, 0, 50, 1000]),
        backoffMaxMs: random.pick([1000, 5000]),
        resetAfterMs: random.pick([2000, 30_000]),
      },
    }),
  );
  return {
    kernels,
    cells: [...new Set(kernels.map((kernel) => kernel.cell))],
    settings: {
      ...SETTINGS_DEFAULTS,
      solitaryMs: random.pick([3000, 10_000]),
      overloadAfterMs: random.pick([1000, 3000]),
      overloadCpu: random.pick([0.5, 0.2, null]),
      bootDeadlineMs: random.pick([5000, 30_000]),
    },
    safeguards: { heartbeatDetector: !random.chance(0.03), mute: true, restartEngine: !random.chance(0.03) },
    leaning: ids.filter(() => random.chance(0.3)),
  };
}
