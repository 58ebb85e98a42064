import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manifestOf, World } from '../../test/world.ts';

const booted = (): World => new World([manifestOf('message_bus')]).boot().run(1000);
const totals = { accepted: 5, handled: 4, rejected: 0, expired: 0, deadLettered: 0, waiting: 0, denied: 0 };
const kinds = (world: World): string[] => Object.values(world.state.incidents).map(({ kind }) => kind);

describe('a mute', () => {
  test('outlives the broker that gave it, and its incident with it', () => {
    const world = booted();
    world.emit({ t: 'muted', principal: 'loud', denied: 300, periodMs: 10_000 });
    world.crash('message_bus');
    world.run(3000);
    world.emit({ t: 'muted', principal: 'loud', denied: 300, periodMs: 5000 });
    world.emit({ t: 'unmuted', principal: 'loud' });
    const opened = world.records('incident:open').filter(({ data }) => data.incident.kind === 'acl_violation');
    assert.equal(opened.length, 1);
    assert.deepEqual(kinds(world), []);
  });

  test('whose end nobody tells is over all the same', () => {
    const world = booted();
    world.emit({ t: 'muted', principal: 'loud', denied: 300, periodMs: 2000 });
    world.run(6000);
    assert.deepEqual(kinds(world), ['acl_violation']);
    world.run(3000);
    assert.deepEqual([kinds(world), world.state.mutes], [[], {}]);
  });

  test("by somebody's order is no violation", () => {
    const world = booted();
    world.emit({ t: 'muted', principal: 'innocent', denied: 0, periodMs: 2000, ordered: true });
    assert.deepEqual([kinds(world), world.state.mutes], [[], {}]);
  });
});

describe('accounts of the bus that do not add up', () => {
  test('are one incident with the figures, closed when every family adds up again', () => {
    const world = booted();
    world.emit({ t: 'unbalanced', evidence: { family: 'task', ...totals, difference: 1 } });
    world.emit({ t: 'unbalanced', evidence: { family: 'audit', ...totals, difference: 1 } });
    const [fired] = world.records('detector:fire');
    assert.deepEqual(fired!.data.evidence, { family: 'task', ...totals, difference: 1 });
    world.emit({ t: 'balanced', unbalanced: 1 });
    assert.deepEqual(kinds(world), ['bus_unbalanced']);
    world.emit({ t: 'balanced', unbalanced: 0 });
    assert.deepEqual([kinds(world), world.records('incident:open').length], [[], 1]);
  });

  test('begin anew with the next life of the broker', () => {
    const world = booted();
    world.emit({ t: 'unbalanced', evidence: { family: 'task', ...totals, difference: -1 } });
    world.crash('message_bus');
    world.run(5000);
    assert.deepEqual(kinds(world), []);
  });
});
