import { join } from 'node:path';
import type { StatusDocument } from '@grace/contracts';
import type { CheckContext } from '../src/check/context.ts';
import { runCheck } from '../src/check/run-check.ts';
import { resolveTarget } from '../src/observe/target.ts';
import { readScenario } from '../src/scenario/list.ts';
import { type StandIn, standIn, statusOf } from './control-stand-in.ts';

const { variants } = readScenario(join(import.meta.dirname, '../../../configs/scenarios/S04_kernel_crash.yaml'));

/** Two kernels of one cell before the fault; the scheduler is the target. */
export const before = statusOf([{ id: 'scheduler' }, { id: 'trigger_mesh' }]);

/** What a crash of the scheduler left, unless a test says otherwise. */
export async function check(
  name: string,
  value: string | null,
  after: StatusDocument,
  more: Partial<CheckContext> = {},
  answers: StandIn['answers'] = {},
) {
  const system = await standIn({ status: () => after, ...answers });
  const sample = {
    trial: 't',
    fromMono: 0,
    toMono: 1,
    messages: { accepted: 1, handled: 1, rejected: 0, lost: 0 },
    verbs: { ok: 10, failed: 0, p50Ms: 1, p99Ms: 4 },
    appends: { ok: 1, failed: 0 },
  };
  const context: CheckContext = {
    control: system.client,
    variant: variants.find(({ id }) => id === 'process_exit')!,
    target: resolveTarget(before, { kind: 'kernel', kernel: 'scheduler' }),
    before,
    injection: {
      lease: {
        id: 'l',
        kind: 'process_exit',
        target: 'scheduler',
        incarnation: 1,
        durationMs: 1000,
        ttlMs: 1,
        correlation: 'c',
        permit: 'p',
        params: {},
      },
      orderedMono: 0,
      actingMono: () => 0,
      counts: () => ({}),
      damage: () => null,
      pid: null,
      isOver: () => true,
      undo: async () => ({ verified: true }),
    },
    undone: { verified: true },
    actedMono: 0,
    observations: [],
    observed: {},
    readings: [],
    sample,
    quiet: sample,
    baseline: sample,
    acknowledged: () => [],
    home: system.home,
    marker: 'marker_1',
    withheld: () => [],
    records: async () => [],
    ...more,
  };
  try {
    return (await runCheck({ name, value }, context)).ok;
  } finally {
    await system.close();
  }
}
