import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { locateGroups } from './own-groups.ts';
import { quotaOf } from './thread-groups.ts';

const NONE = { cpu: null, memory: null, unified: null };

describe('the own control groups', () => {
  test('of a machine with v1 and an empty v2', () => {
    const mounts = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw`;
    assert.deepEqual(locateGroups(mounts, '4:memory:/app/a:b\n3:cpuset:/\n1:cpu,cpuacct:/app\n0::/\n'), {
      cpu: '/sys/fs/cgroup/cpu,cpuacct/app',
      memory: '/sys/fs/cgroup/memory/app/a:b',
      unified: '/sys/fs/cgroup/unified',
    });
  });

  test('of a machine with v2 alone', () => {
    const mounts = '41 31 0:38 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate';
    assert.deepEqual(locateGroups(mounts, '0::/system.slice/grace.service\n'), {
      ...NONE,
      unified: '/sys/fs/cgroup/system.slice/grace.service',
    });
  });

  test('of a container are below what is mounted in it, and a group outside of that has no folder', () => {
    const mounts = '32 31 0:29 /docker/ab /sys/fs/cgroup/my\\040cpu ro - cgroup cgroup rw,cpu';
    assert.equal(locateGroups(mounts, '1:cpu:/docker/ab').cpu, '/sys/fs/cgroup/my cpu');
    assert.equal(locateGroups(mounts, '1:cpu:/docker/ab/in').cpu, '/sys/fs/cgroup/my cpu/in');
    assert.equal(locateGroups(mounts, '1:cpu:/docker/abc').cpu, null);
    assert.equal(locateGroups('41 31 0:38 / /c rw - cgroup2 cgroup2 rw', '0::/../other').unified, null);
  });

  test('are none where nothing is mounted', () => {
    assert.deepEqual(locateGroups('', ''), NONE);
    assert.deepEqual(locateGroups('', '1:cpu:/\n0::/'), NONE);
  });
});

test('every share has a quota that the kernel takes, and that is within 10 % of it', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 1, noNaN: true }), (cpu) => {
      const { quotaUs, periodUs } = quotaOf(cpu);
      assert.ok(Number.isInteger(quotaUs) && Number.isInteger(periodUs));
      assert.ok(quotaUs >= 1000 && periodUs >= 1000 && periodUs <= 1e6);
      assert.ok(Math.abs(quotaUs / periodUs / cpu - 1) < 0.1);
    }),
  );
});
