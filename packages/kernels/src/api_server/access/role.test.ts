import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GraceError } from '@grace/contracts';
import fc from 'fast-check';
import { checkVerb, isReading, needsPermission, ROLES, type Role } from './role.ts';

const may = (role: Role, kernel: string, verb: string, verbs: string[] | null = null): boolean => {
  try {
    checkVerb({ role, verbs }, kernel, verb);
    return true;
  } catch (error) {
    assert.ok(error instanceof GraceError && error.code === 'FORBIDDEN');
    return false;
  }
};

const kernels = ['scheduler', 'governance', 'secret_manager', 'message_bus', 'api_server', 'immutable_log', 'mine'];
const verbs = ['status', 'stats', 'add', 'approve', 'get', 'mute', 'tokens', 'repair', 'search', 'anything'];

describe('roles', () => {
  test('the least role of each kind of verb', () => {
    const least = (kernel: string, verb: string) => ROLES.find((role) => may(role, kernel, verb));
    assert.equal(least('scheduler', 'status'), 'viewer');
    assert.equal(least('governance', 'status'), 'viewer');
    assert.equal(least('immutable_log', 'search'), 'viewer');
    assert.equal(least('scheduler', 'add'), 'operator');
    assert.equal(least('immutable_log', 'append'), 'operator');
    assert.equal(least('immutable_log', 'repair'), 'admin');
    assert.equal(least('governance', 'approve'), 'admin');
    assert.equal(least('secret_manager', 'get'), 'admin');
    assert.equal(least('message_bus', 'mute'), 'admin');
    assert.equal(least('api_server', 'tokens'), 'admin');
  });

  test('a higher role may all that a lower one may, and a narrower token never more than its role', () => {
    const pattern = fc
      .tuple(fc.constantFrom('*', ...kernels), fc.constantFrom('*', ...verbs))
      .map((two) => two.join('.'));
    fc.assert(
      fc.property(
        fc.constantFrom(...kernels),
        fc.constantFrom(...verbs),
        fc.array(pattern, { maxLength: 4 }),
        (kernel, verb, narrow) => {
          const free = ROLES.map((role) => may(role, kernel, verb));
          for (const i of [0, 1]) assert.ok(!free[i] || free[i + 1]);
          for (const [i, role] of ROLES.entries()) {
            const narrowed = may(role, kernel, verb, narrow);
            assert.ok(!narrowed || free[i]);
            assert.equal(
              narrowed,
              free[i]! &&
                narrow.some((one) =>
                  new RegExp(`^${one.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(`${kernel}.${verb}`),
                ),
            );
          }
        },
      ),
    );
  });

  test('governance is asked about what acts, unless it is asked by the kernel itself', () => {
    assert.ok(needsPermission('scheduler', 'add'));
    assert.ok(needsPermission('message_bus', 'mute'));
    assert.ok(!needsPermission('scheduler', 'jobs'));
    assert.ok(!needsPermission('governance', 'approve'));
    assert.ok(!needsPermission('secret_manager', 'set'));
    for (const kernel of kernels)
      for (const verb of verbs) assert.ok(!(isReading(kernel, verb) && needsPermission(kernel, verb)));
  });
});
