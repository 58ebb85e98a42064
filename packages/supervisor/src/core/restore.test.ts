import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type AnyRecord, hasThread, SETTINGS_DEFAULTS } from '@grace/contracts';
import fc from 'fast-check';
import { manifestOf, World } from '../../test/world.ts';
import type { CoreEvent } from './events.ts';
import { restore } from './restore.ts';
import type { CoreState } from './state.ts';

const KERNELS = [
  manifestOf('bus', { restart: { budget: 3, backoffMs: 200 } }),
  manifestOf('store', { needs: ['bus'], restart: { budget: 2, windowMs: 20_000, resetAfterMs: 100_000 } }),
  manifestOf('api', { needs: ['bus', 'store'], cell: 'two' }),
  manifestOf('mail', { cell: 'two', restart: { class: 'transient' } }),
];
const IDS = KERNELS.map(({ id }) => id);
const SAFEGUARDS = { heartbeatDetector: true, mute: true, restartEngine: true };

/** The journal of a world, as a supervisor would have written it: the start of a process is written when it is made. */
function recordsOf(world: World): AnyRecord[] {
  const boot = { pid: 1, version: '', node: '', cores: 2, armed: false, kernels: IDS, safeguards: SAFEGUARDS };
  const drafts: { at: number; draft: object }[] = [{ at: 0, draft: { name: 'system:boot', data: boot } }];
  for (const { at, command } of world.commands) {
    if (command.do === 'journal') drafts.push({ at, draft: command.draft });
    if (command.do === 'spawn-cell') {
      const { cell, incarnation } = command;
      drafts.push({ at, draft: { name: 'cell:start', cell, incarnation, data: { pid: 1 } } });
    }
  }
  return drafts.map(({ at, draft }, i) => ({ seq: i + 1, wallMs: at, monoMs: at, ...draft }) as AnyRecord);
}

const restored = (world: World): CoreState =>
  restore(
    { kernels: KERNELS, safeguards: SAFEGUARDS, settings: SETTINGS_DEFAULTS },
    recordsOf(world),
    world.now,
    1,
    'x',
  );

/** What a supervisor must know to go on; the rest it measures anew. */
function whatMatters({ phase, readyMs, kernels, cells, incidents, mutes }: CoreState) {
  return {
    phase,
    readyMs,
    kernels: Object.fromEntries(
      Object.entries(kernels).map(([id, kernel]) => {
        const { state, cell, moveTo, wanted, incarnation, restarts, attempt, budgetUsed, solitary, throttle } = kernel;
        const down = !hasThread(state) && state !== 'waiting';
        return [
          id,
          {
            state,
            cell,
            moveTo,
            wanted,
            incarnation,
            restarts,
            attempt,
            budgetUsed,
            solitary,
            probeMs: kernel.manifest.probe.intervalMs,
            // What a thread is held to is written down when its cell has answered.
            throttle: state === 'running' &&
              kernel.cap !== null &&
              throttle && { cpu: throttle.cpu, why: throttle.why, by: throttle.by },
            since: state === 'running' ? kernel.since : null,
            due: state === 'backoff' ? Math.round(kernel.dueMono) : null,
            readyMs: kernel.readyMs,
            condition: state === 'running' ? kernel.condition : null,
            cap: state === 'running' ? kernel.cap : null,
            cause: down || state === 'draining' || state === 'stopping' ? kernel.cause : null,
            after: state === 'draining' || state === 'stopping' ? kernel.after : null,
            error: down && state !== 'stopped' ? kernel.error?.code : null,
          },
        ];
      }),
    ),
    cells: Object.fromEntries(
      Object.entries(cells).map(([id, { state, incarnation, pid, failures }]) => [
        id,
        // The end of a process is written down when it has ended, not when it is ordered.
        {
          state: state === 'stopping' ? 'online' : state,
          incarnation,
          pid: state === 'online' || state === 'stopping' ? pid : null,
          failures,
        },
      ]),
    ),
    incidents: Object.fromEntries(
      Object.entries(incidents).map(([id, { calmSince: _, openedMono: __, ...incident }]) => [id, incident]),
    ),
    mutes,
  };
}

const assertRestored = (world: World): void => assert.deepEqual(whatMatters(restored(world)), whatMatters(world.state));

const hand = (order: 'pause' | 'resume' | 'isolate', kernel: string): CoreEvent => ({ t: order, kernel, by: 'you' });

const step = fc.oneof(
  fc.record({ act: fc.constantFrom('crash', 'ends', 'crash cell'), kernel: fc.constantFrom(...IDS) }),
  fc.record({ act: fc.constantFrom('pause', 'resume', 'isolate'), kernel: fc.constantFrom(...IDS) }),
  fc.record({ act: fc.constantFrom('restart', 'quarantine', 'throttle', 'tune'), kernel: fc.constantFrom(...IDS) }),
  fc.record({ act: fc.constantFrom('mute', 'unmute'), kernel: fc.constantFrom(...IDS) }),
);

function act(world: World, { act: what, kernel }: { act: string; kernel: string }): void {
  switch (what) {
    case 'crash':
    case 'ends':
      world.crash(kernel, what === 'ends' ? 0 : 1);
      return;
    case 'crash cell':
      world.crashCell(world.state.kernels[kernel]!.cell);
      return;
    case 'pause':
    case 'resume':
    case 'isolate':
      if (what === 'isolate' && (world.stateOf(kernel) !== 'running' || world.state.kernels[kernel]!.solitary)) return;
      world.emit(hand(what, kernel));
      return;
    case 'restart':
      world.emit({ t: 'restart', kernel, by: 'you', reason: 'by hand', correlation: undefined });
      return;
    case 'quarantine':
      world.emit({ t: 'quarantine', kernel, by: 'you', reason: 'looks odd' });
      return;
    case 'throttle':
      world.emit({ t: 'throttle', kernel, by: 'you', cpu: 0.3, forMs: null });
      return;
    case 'tune': {
      const value = world.state.kernels[kernel]!.manifest.probe.intervalMs + 500;
      world.emit({ t: 'tune', kernel, knob: 'probe.intervalMs', value, by: 'you', reason: 'to see' });
      return;
    }
    case 'mute': {
      const data = { principal: 'loud', denied: 300, periodMs: 2000 };
      // The broker's own words are written down before the core hears them.
      world.commands.push({ at: world.now, command: { do: 'journal', draft: { name: 'bus:muted', data } } });
      world.emit({ t: 'muted', ...data });
      return;
    }
    case 'unmute': {
      const data = { principal: 'loud' };
      world.commands.push({ at: world.now, command: { do: 'journal', draft: { name: 'bus:unmuted', data } } });
      world.emit({ t: 'unmuted', ...data });
      return;
    }
    default:
      throw new Error(what);
  }
}

describe('restore', () => {
  test('of the journal of a run gives the state that the run has, in all that matters', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.integer({ min: 0, max: 3000 })), { maxLength: 14 }), (steps) => {
        const world = new World(KERNELS).boot().run(300);
        assertRestored(world);
        for (const [what, ms] of steps) {
          act(world, what);
          world.run(what.act === 'throttle' ? ms + 5 : ms);
          assertRestored(world);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('of a kernel that has run for long begins its back-off anew', () => {
    const kernels = [manifestOf('one', { restart: { budget: 9, resetAfterMs: 4000 } })];
    const world = new World(kernels).boot().run(300);
    for (const ms of [1000, 1000, 6000]) {
      world.crash('one');
      world.run(ms);
      const plan = { kernels, safeguards: SAFEGUARDS, settings: SETTINGS_DEFAULTS };
      const state = restore(plan, recordsOf(world), world.now, 1, 'x');
      assert.equal(state.kernels['one']!.attempt, world.state.kernels['one']!.attempt, `after ${ms} ms`);
    }
    assert.equal(world.state.kernels['one']!.attempt, 0);
  });

  test('of a system that was being stopped goes on with the stop', () => {
    const world = new World(KERNELS).boot().run(300);
    world.emit({ t: 'stop', reason: 'enough', timeoutMs: 5000 });
    const state = restored(world);
    assert.equal(state.phase, 'stopping');
    assert.ok(state.stopDeadlineMono > world.now);
    assert.ok(Object.values(state.kernels).every(({ wanted }) => !wanted));
  });

  test('asks nothing of anybody before a cell has dialled', () => {
    const state = restored(new World(KERNELS).boot().run(2000));
    for (const kernel of Object.values(state.kernels)) {
      assert.equal(kernel.state, 'running');
      assert.equal(kernel.probe.dueMono, Infinity);
      assert.equal(kernel.probe.inFlight, false);
    }
  });
});
