import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnyDraft, AnyRecord } from '@grace/contracts';
import { before, check } from '../../test/check-bed.ts';
import { statusOf } from '../../test/control-stand-in.ts';
import { resolveTarget } from '../observe/target.ts';
import type { TargetReading } from '../observe/target-readings.ts';
import type { CheckContext } from './context.ts';

const kernel = 'scheduler';

/** Records in their order, one every 1000 ms from 1000 on. */
const written = (...drafts: AnyDraft[]): Partial<CheckContext> => ({
  records: async () =>
    drafts.map((draft, i) => ({ ...draft, seq: i + 1, wallMs: 0, monoMs: (i + 1) * 1000 }) as AnyRecord),
});

const limit = (
  cpu: number | null,
  why: 'overload' | 'manifest' = 'overload',
  method: 'cgroup2' | 'none' = 'cgroup2',
): AnyDraft => ({
  name: 'kernel:limit',
  kernel,
  data: { cpu, method, why, by: 'supervisor' },
});
const named = (to: 'spinning' | 'blocked', of = kernel): AnyDraft => ({
  name: 'kernel:condition',
  kernel: of,
  data: { from: 'healthy', to, confidence: 0.9, evidence: {} },
});
const kept = (kind: 'stack' | 'error', ...top: string[]): AnyDraft => ({
  name: 'kernel:evidence',
  kernel,
  data: { kind, incident: 'i', file: 'evidence/i/a.txt', bytes: 9, top },
});
const pressure: AnyDraft = {
  name: 'kernel:pressure',
  kernel,
  data: { of: 'heap', bytes: 210e6, limitBytes: 256e6, ratio: 0.82, bytesPerSecond: 40e6 },
};
const restart: AnyDraft = {
  name: 'kernel:restart',
  kernel,
  data: { cause: 'memory', attempt: 1, delayMs: 0, by: 'restart engine' },
};
const ready: AnyDraft = { name: 'kernel:ready', kernel, data: { readyMs: 90, probe: {} } };
const exit = (cell: string, code: number | null, signal: string | null, pid = process.pid): AnyDraft => ({
  name: 'cell:exit',
  cell,
  data: { pid, code, signal, expected: false, kernels: [] },
});
const move = (why: 'solitary' | 'isolate'): AnyDraft => ({
  name: 'kernel:move',
  kernel,
  data: { from: 'edge', to: 'solo_scheduler', why },
});

const apart = statusOf([{ id: kernel, cell: 'solo_scheduler', incarnation: 2 }, { id: 'trigger_mesh' }]);
const [edge] = apart.cells;
const alone = {
  ...apart,
  cells: [
    { ...edge!, kernels: ['trigger_mesh'] },
    { ...edge!, id: 'solo_scheduler', kernels: [kernel] },
  ],
};
const together = statusOf([
  { id: kernel, cell: 'solo_scheduler' },
  { id: 'trigger_mesh', cell: 'solo_scheduler' },
]);
const elsewhere = { ...before, cells: before.cells.map((cell) => ({ ...cell, pid: 1 })) };
const capped = statusOf([{ id: kernel, cap: 0.5 }]);

/** A thread that uses a share of a core from 0 to 9000 ms, read every 100 ms. */
const uses = (share: number): TargetReading[] =>
  Array.from({ length: 90 }, (_, i) => ({ atMono: i * 100, cpuMs: i * 100 * share, rssBytes: 1 }));
const storm = (share: number, ...limits: AnyDraft[]): Partial<CheckContext> => ({
  ...written(...limits),
  readings: uses(share),
  injection: { lease: { durationMs: 8000 }, orderedMono: 0 } as CheckContext['injection'],
});
const grew = (...megabytes: number[]): Partial<CheckContext> => ({
  readings: megabytes.map((size, i) => ({ atMono: i, cpuMs: null, rssBytes: size * 1e6 })),
});

describe('a check of a hang or a leak can be true and can be false', { concurrency: true }, () => {
  const cases: [string, string | null, boolean | null, typeof before, Partial<CheckContext>][] = [
    ['condition_named', 'spinning', true, before, written(named('spinning'))],
    ['condition_named', 'spinning', false, before, written(named('blocked'), named('spinning', 'trigger_mesh'))],
    ['stack_names', 'endlessLoop', true, before, written(kept('stack', 'active a.ts:1', 'endlessLoop hang.ts:10'))],
    [
      'stack_names',
      'endlessLoop',
      false,
      before,
      written(kept('stack', 'listOnTimeout'), kept('error', 'endlessLoop')),
    ],
    ['cell_kept', null, true, before, {}],
    ['cell_kept', null, false, elsewhere, {}],
    ['cell_killed', 'SIGKILL', true, before, written(exit('edge', null, 'SIGKILL'))],
    ['cell_killed', 'SIGKILL', false, before, written(exit('edge', null, 'SIGABRT'))],
    ['cell_killed', 'SIGKILL', false, before, written(exit('edge', null, 'SIGKILL', 1), exit('work', null, 'SIGKILL'))],
    ['only_its_cell_ended', null, true, before, written(exit('edge', null, 'SIGABRT'), exit('solo_x', 0, null))],
    ['only_its_cell_ended', null, false, before, written(exit('edge', null, 'SIGABRT'), exit('work', null, 'SIGKILL'))],
    ['only_its_cell_ended', null, false, before, written(exit('work', 134, null))],
    ['only_its_cell_ended', null, false, before, written()],
    ['moved_alone', null, true, alone, written(move('solitary'))],
    ['moved_alone', null, false, alone, written(move('isolate'))],
    ['moved_alone', null, false, alone, written()],
    ['moved_alone', null, false, together, written(move('solitary'))],
    ['moved_alone', null, false, before, written(move('solitary'))],
    ['throttled', null, true, before, written(limit(0.5))],
    ['throttled', null, false, before, written(limit(0.5, 'overload', 'none'))],
    ['throttled', null, false, before, written(limit(0.5, 'manifest'))],
    ['held_to_share', '1.25', true, before, storm(0.6, limit(0.5))],
    ['held_to_share', '1.25', false, before, storm(0.7, limit(0.5))],
    ['held_to_share', '1.25', false, before, storm(0.1)],
    ['held_to_share', '1.25', null, before, storm(0.5, limit(0.5), limit(null))],
    ['limit_lifted', null, true, before, written(limit(0.5), limit(null, 'manifest'))],
    ['limit_lifted', null, null, before, written()],
    ['pressure_recorded', null, true, before, written(pressure, restart)],
    ['pressure_recorded', null, false, before, written(restart, pressure)],
    ['pressure_recorded', null, false, before, written(restart)],
    ['ready_after_pressure', '2000', true, before, written(pressure, restart, ready)],
    ['ready_after_pressure', '1500', false, before, written(pressure, restart, ready)],
    ['ready_after_pressure', '2000', false, before, written(ready, pressure)],
    ['ready_after_pressure', '2000', false, before, written(restart, ready)],
    ['grew_at_most', '512', true, before, grew(100, 400, 90)],
    ['grew_at_most', '512', false, before, grew(100, 700, 90)],
    ['grew_at_most', '512', null, before, grew()],
  ];
  for (const [i, [name, value, expected, after, more]] of cases.entries()) {
    test(`${i} ${name}: ${expected === null ? 'unknown' : expected}`, async () => {
      assert.equal(await check(name, value, after, more), expected);
    });
  }

  test('a kernel that was alone before need not move, but must be alone again', async () => {
    const lonely = { target: resolveTarget(alone, { kind: 'kernel', kernel }) };
    assert.equal(await check('moved_alone', null, alone, { ...written(), ...lonely }), true);
    assert.equal(await check('moved_alone', null, together, { ...written(), ...lonely }), false);
    assert.equal(await check('cell_mates_untouched', null, alone, lonely), true);
  });

  test('a stack that did not come, and a restart that took too long, say nothing when the machine withheld that time', async () => {
    const during = (fromMono: number, toMono: number, of = 'edge') => ({
      withheld: () => [{ fromMono, toMono, ms: toMono - fromMono, of, by: 'others' as const }],
    });
    const stack = written(kept('stack', 'no answer'));
    const about = (more: Partial<CheckContext>) => check('stack_names', 'endlessLoop', before, { ...stack, ...more });
    assert.equal(await about(during(-500, 1000)), null);
    assert.equal(await about(during(500, 1000)), false);
    const late = written(pressure, restart, ready);
    const back = (more: Partial<CheckContext>) => check('ready_after_pressure', '1500', before, { ...late, ...more });
    assert.equal(await back(during(1000, 2000)), null);
    assert.equal(await back(during(1000, 1400)), false);
    assert.equal(await back(during(3000, 5000)), false);
    assert.equal(await back(during(1000, 2000, 'runner')), false);
  });

  test('a limit that is still in force is not lifted, whatever the journal says', async () => {
    assert.equal(await check('limit_lifted', null, capped, written(limit(0.5), limit(null))), false);
  });
});
