import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completeManifest, SETTINGS_DEFAULTS } from '@grace/contracts';
import { limitsMissing } from './limits-missing.ts';

const manifest = (id: string, cpu: number | null) => {
  const one = completeManifest({ id, title: id, cell: 'user' }, { module: '/m.mjs', builtin: false });
  return { ...one, limits: { ...one.limits, cpu } };
};
const enforced = (cpu: 'cgroup1' | 'inspector' | 'none') => ({ cpu, memory: '' });

test('a CPU limit that nothing enforces is said at boot, with the kernels it was meant for', () => {
  const plan = { kernels: [manifest('a', 0.2), manifest('b', null), manifest('c', 1)], settings: SETTINGS_DEFAULTS };
  assert.equal(
    limitsMissing(enforced('none'), plan),
    'not enforced on this machine: the CPU limit of a, c and the limit of overloaded kernels; grace doctor tells why',
  );
  assert.equal(limitsMissing(enforced('cgroup1'), plan), undefined);
  assert.equal(limitsMissing(enforced('inspector'), plan), undefined);
});

test('where no limit was asked for, nothing is missing', () => {
  const settings = { ...SETTINGS_DEFAULTS, overloadCpu: null };
  assert.equal(limitsMissing(enforced('none'), { kernels: [manifest('b', null)], settings }), undefined);
});
