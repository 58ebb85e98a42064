import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasThread, KERNEL_STATES, type KernelState, mayMove, TRANSITIONS } from './lifecycle.ts';

/** States that can come after `from`, in any number of steps. */
function reachable(from: KernelState, allowed: (state: KernelState) => boolean = () => true): Set<KernelState> {
  const seen = new Set<KernelState>([from]);
  for (const state of seen) for (const next of TRANSITIONS[state]) if (allowed(next)) seen.add(next);
  return seen;
}

test('every state has a row, and rows name states only', () => {
  assert.deepEqual(Object.keys(TRANSITIONS).sort(), [...KERNEL_STATES].sort());
  for (const targets of Object.values(TRANSITIONS)) {
    for (const target of targets) assert.ok(KERNEL_STATES.includes(target), target);
    assert.equal(new Set(targets).size, targets.length);
  }
});

test('no state moves to itself', () => {
  for (const state of KERNEL_STATES) assert.equal(mayMove(state, state), false, state);
});

test('running is reached from probing alone: nothing runs that has not done its job once', () => {
  assert.deepEqual(
    KERNEL_STATES.filter((state) => mayMove(state, 'running')),
    ['probing'],
  );
  assert.deepEqual(
    KERNEL_STATES.filter((state) => mayMove(state, 'probing')),
    ['starting'],
  );
});

test('no state is a trap: running and stopped can be reached from each', () => {
  for (const state of KERNEL_STATES) {
    assert.ok(reachable(state).has('running'), `${state} never leads to running`);
    assert.ok(reachable(state).has('stopped'), `${state} never leads to stopped`);
  }
});

test('a kernel without a thread gets one through starting alone', () => {
  for (const from of KERNEL_STATES.filter((state) => !hasThread(state))) {
    for (const to of ['probing', 'running', 'draining'] as const)
      assert.equal(mayMove(from, to), false, `${from} -> ${to}`);
  }
});

test('a kernel that has ended never comes back as draining or stopping', () => {
  for (const state of ['stopped', 'failed', 'quarantined', 'backoff'] as const) {
    assert.equal(mayMove(state, 'draining'), false);
    assert.equal(mayMove(state, 'stopping'), false);
  }
});

test('quarantine is left only towards a fresh start or a stop', () => {
  assert.deepEqual([...TRANSITIONS.quarantined].sort(), ['starting', 'stopped', 'waiting']);
});
