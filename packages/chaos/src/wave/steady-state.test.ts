import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelStatus } from '@grace/contracts';
import { type StandIn, standIn, statusOf } from '../../test/control-stand-in.ts';
import type { Workload } from '../workload/workload.ts';
import { awaitSteadyState, type SteadyState } from './steady-state.ts';

const flowing = (flows = true): Pick<Workload, 'flows'> => ({ flows: () => flows });
const healthy = { probe: () => ({ ok: true, ms: 1, detail: {} }) };
const running = (more: Partial<KernelStatus> = {}) => statusOf([{ id: 'scheduler' }, { id: 'librarian', ...more }]);

async function gate(answers: StandIn['answers'], workload = flowing()): Promise<SteadyState> {
  const system = await standIn({ status: () => running(), ...healthy, ...answers });
  try {
    return await awaitSteadyState(system.client, workload, 300, new AbortController().signal);
  } finally {
    await system.close();
  }
}

const failed = ({ checks }: SteadyState): string =>
  checks
    .filter(({ ok }) => !ok)
    .map(({ check }) => check)
    .join();

describe('the steady state', () => {
  test('must hold for a second', async () => {
    const short = await gate({});
    assert.equal(short.ok, false, 'it had 300 ms only');
    assert.equal(failed(short), '');
    const system = await standIn({ status: () => running(), ...healthy });
    try {
      const state = await awaitSteadyState(system.client, flowing(), 20_000, new AbortController().signal);
      assert.equal(state.ok, true);
      assert.ok(state.heldMs >= 1000);
    } finally {
      await system.close();
    }
  });

  const cases: [string, StandIn['answers'], string][] = [
    [
      'a kernel is down',
      { status: () => running({ state: 'backoff', heartbeatAgeMs: null }) },
      'kernels_running,heartbeats_fresh',
    ],
    ['a heartbeat is old', { status: () => running({ heartbeatAgeMs: 5000 }) }, 'heartbeats_fresh'],
    ['a probe fails', { probe: ({ kernel }) => ({ ok: kernel !== 'librarian', ms: 1, detail: {} }) }, 'probes_pass'],
    [
      'a principal is muted',
      {
        status: () => ({
          ...running(),
          bus: { ...running().bus, muted: [{ principal: 'x', untilMono: 1, denied: 1, level: 1 }] },
        }),
      },
      'no_mute',
    ],
    [
      'a fault is held',
      { 'fault.list': () => [{ id: 'l', kind: 'cpu_spin', target: 'scheduler', untilMono: 1 }] },
      'no_fault',
    ],
    ['there are no kernels', { status: () => statusOf([]) }, 'kernels_running'],
    ['the supervisor does not know', { incidents: () => Promise.reject(new Error('no')) }, 'supervisor_answers'],
    [
      'an incident is open',
      {
        incidents: () => [
          {
            id: 'i1',
            kind: 'heartbeat_gap',
            subject: 'x',
            title: '',
            severity: 'low',
            openedMono: 1,
            openedWall: 1,
            escalated: false,
            detectors: [],
            events: [],
          },
        ],
      },
      'no_open_incident',
    ],
  ];
  for (const [what, answers, check] of cases) {
    test(`is refused when ${what}`, async () => {
      assert.equal(failed(await gate(answers)), check);
    });
  }

  test('is refused when the workload does not flow', async () => {
    assert.equal(failed(await gate({}, flowing(false))), 'workload_flows');
  });
});
