import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type KernelRig, poll, rigKernels } from '@grace/testkit';
import infrastructureManager from './kernel.ts';
import { ownThread } from './probe.ts';
import type { Sample } from './sampler.ts';

const ID = 'infrastructure_manager';

/** Hosts the kernel in a system whose one cell is this process. */
async function withKernel(
  body: (rig: KernelRig) => Promise<void>,
  config: Record<string, unknown> = {},
  status: ((home: string) => unknown) | null = (home) => ({
    system: { home },
    cells: [
      { id: 'core', pid: process.pid },
      { id: 'down', pid: null },
    ],
    kernels: [{ id: ID, cell: 'core', tid: ownThread('/proc') }],
  }),
): Promise<void> {
  const rig: KernelRig = await rigKernels([infrastructureManager], {
    config: { [ID]: { sampleMs: 100, ...config } },
    ...(status ? { commands: () => status(tmpdir()) } : {}),
  });
  try {
    await body(rig);
  } finally {
    await rig.close();
  }
}

/** A machine as files: what /proc would say. */
function machine(): { root: string; write(path: string, text: string): void; remove(): void } {
  const root = mkdtempSync(join(tmpdir(), 'grace-proc-'));
  const write = (path: string, text: string): void => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const self = `${process.pid}`;
  write(`${self}/stat`, `${self} (node) S 1 1 1 0 -1 0 0 0 0 0 10 10 0 0 20 0 1 0 5 0 0 0\n`);
  write(`${self}/task/.keep`, '');
  symlinkSync(`${self}/task/${ownThread('/proc')}`, join(root, 'thread-self'));
  write('meminfo', 'MemTotal: 1000 kB\nMemAvailable: 900 kB\n');
  write('loadavg', '0.10 0.10 0.10 1/100 1\n');
  return { root, write, remove: () => rmSync(root, { recursive: true, force: true }) };
}

const level = async (rig: KernelRig, resource: string): Promise<string> => {
  const pressure = (await rig.call(ID, 'pressure', {})) as Record<string, { level: string }>;
  return pressure[resource]!.level;
};

describe('infrastructure_manager', () => {
  test('counts the threads of each process of the system, and finds its own kernel among them', async () => {
    await withKernel(async (rig) => {
      const inventory = (await rig.call(ID, 'inventory', {})) as {
        complete: boolean;
        cells: { cell: string; pid: number; threads: number; kernels: unknown[] }[];
      };
      assert.equal(inventory.complete, true);
      assert.deepEqual(
        inventory.cells.map(({ cell, pid }) => [cell, pid]),
        [['core', process.pid]],
      );
      assert.deepEqual(inventory.cells[0]?.kernels, [{ kernel: ID, tid: ownThread('/proc') }]);
      assert.ok(inventory.cells[0].threads > 1);
    });
  });

  test('sees a thread burn CPU', async () => {
    await withKernel(async (rig) => {
      const burned = await poll('the CPU time of this thread is seen', async () => {
        const until = performance.now() + 30;
        while (performance.now() < until);
        const sample = (await rig.call(ID, 'usage', {})) as Sample;
        const own = sample.cells[0]?.threads.find(({ kernel }) => kernel === ID);
        return (own?.cpuPercent ?? 0) > 0 ? sample : undefined;
      });
      const [cell] = burned.cells;
      assert.ok(cell!.rssBytes! > 10e6);
      assert.ok(cell!.descriptors!.open > 0);
      const disk = burned.readings.disk.value!;
      assert.ok(disk > 0 && disk <= 1);
      assert.ok(burned.readings.memory.value! > 0);
    });
  });

  test('without an answer of the supervisor it reads its own process, and says that this is not all', async () => {
    await withKernel(
      async (rig) => {
        const sample = (await rig.call(ID, 'usage', {})) as Sample;
        assert.equal(sample.complete, false);
        assert.deepEqual(
          sample.cells.map(({ pid, alive }) => [pid, alive]),
          [[process.pid, true]],
        );
      },
      {},
      null,
    );
  });

  test('a process that is gone is reported as not alive', async () => {
    const gone = { id: 'gone', pid: 2 ** 22 + 1 };
    await withKernel(
      async (rig) => {
        const sample = (await rig.call(ID, 'usage', {})) as Sample;
        assert.deepEqual(
          sample.cells.map(({ alive, threads }) => [alive, threads]),
          [[false, []]],
        );
      },
      {},
      (home) => ({ system: { home }, cells: [gone], kernels: [] }),
    );
  });

  test('pressure is published when it comes and when it goes, not while it stays', async () => {
    const { root, write, remove } = machine();
    try {
      await withKernel(
        async (rig) => {
          const heard: string[] = [];
          await rig.bus('listener').subscribe('telemetry.pressure.*', ({ subject, payload }) => {
            const { from, to } = payload as { from: string; to: string };
            heard.push(`${subject} ${from} ${to}`);
          });
          assert.equal(await level(rig, 'memory'), 'normal');
          assert.equal(await level(rig, 'memory_stall'), 'unknown', 'what cannot be read is not called normal');
          write('meminfo', 'MemTotal: 1000 kB\nMemAvailable: 10 kB\n');
          await poll('critical', async () => (await level(rig, 'memory')) === 'critical');
          write('meminfo', 'MemTotal: 1000 kB\nMemAvailable: 900 kB\n');
          await poll('normal', async () => (await level(rig, 'memory')) === 'normal');
          await poll('both are heard', () => heard.length === 2);
          assert.deepEqual(heard, [
            'telemetry.pressure.memory normal critical',
            'telemetry.pressure.memory critical normal',
          ]);
        },
        { proc: root, sys: join(root, 'sys') },
      );
    } finally {
      remove();
    }
  });

  test('limits of a control group are read in both versions, the tightest on the way up', async () => {
    const { root, write, remove } = machine();
    try {
      const group = async (): Promise<unknown> => {
        let found: unknown;
        const read = async (rig: KernelRig): Promise<void> => {
          found = ((await rig.call(ID, 'inventory', {})) as { cgroup: unknown }).cgroup;
        };
        await withKernel(read, { proc: root, sys: join(root, 'sys') });
        return found;
      };
      write('self/cgroup', '4:cpu:/a\n3:memory:/a/b\n');
      write('sys/fs/cgroup/cpu/a/cpu.cfs_quota_us', '150000\n');
      write('sys/fs/cgroup/cpu/a/cpu.cfs_period_us', '100000\n');
      write('sys/fs/cgroup/memory/a/b/memory.limit_in_bytes', '9223372036854771712\n');
      write('sys/fs/cgroup/memory/a/memory.limit_in_bytes', '4096000\n');
      write('sys/fs/cgroup/memory/a/b/memory.usage_in_bytes', '1024000\n');
      assert.deepEqual(await group(), { version: 1, cpuCores: 1.5, memoryBytes: 4096000, memoryUsedBytes: 1024000 });
      write('self/cgroup', '0::/a/b\n');
      write('sys/fs/cgroup/cgroup.controllers', 'cpu memory\n');
      write('sys/fs/cgroup/a/b/cpu.max', 'max 100000\n');
      write('sys/fs/cgroup/a/cpu.max', '50000 100000\n');
      write('sys/fs/cgroup/a/b/memory.max', '2048000\n');
      write('sys/fs/cgroup/a/b/memory.current', '1000\n');
      assert.deepEqual(await group(), { version: 2, cpuCores: 0.5, memoryBytes: 2048000, memoryUsedBytes: 1000 });
    } finally {
      remove();
    }
  });

  test('before anything was measured no level is claimed', async () => {
    let answer: (value: unknown) => void = () => {};
    const late = new Promise((resolve) => {
      answer = resolve;
    });
    await withKernel(
      async (rig) => {
        const { levels } = (await rig.call(ID, 'status', {})) as { levels: object };
        assert.deepEqual(new Set(Object.values(levels)), new Set(['unknown']));
        answer({ system: { home: tmpdir() }, cells: [], kernels: [] });
      },
      { sampleMs: 60_000 },
      () => late,
    );
  });

  test('thresholds can be set, are checked, and survive a restart', async () => {
    await withKernel(async (rig) => {
      const set = (value: unknown): Promise<unknown> => rig.call(ID, 'thresholds', { set: value });
      await set({ disk: { raised: 0.5 } });
      await assert.rejects(set({ disk: { high: 0.4 } }), /raised < high < critical/);
      await assert.rejects(set({ disks: {} }), /did you mean "disk"/);
      await assert.rejects(set({ disk: { raise: 1 } }), /did you mean "raised"/);
      await rig.restart(ID);
      const { disk } = (await rig.call(ID, 'thresholds', {})) as { disk: { raised: number; high: number } };
      assert.deepEqual([disk.raised, disk.high], [0.5, 0.93]);
    });
  });

  test('samples are kept over a restart', async () => {
    await withKernel(async (rig) => {
      const kept = async (): Promise<number> => ((await rig.call(ID, 'status', {})) as { kept: number }).kept;
      await poll('a sample', async () => (await kept()) > 0);
      await rig.restart(ID);
      assert.ok((await kept()) > 0);
      const { samples } = (await rig.call(ID, 'usage', { samples: 1 })) as { samples: { readings: object }[] };
      assert.equal(samples.length, 1);
      assert.ok('disk' in samples[0]!.readings);
    });
  });
});

describe('the functional probe of infrastructure_manager', () => {
  test('finds its own process and its own thread, and sees the thread run', async () => {
    await withKernel(async (rig) => {
      const seen = await rig.probe(ID);
      assert.equal(seen['pid'], process.pid);
      assert.equal(seen['tid'], ownThread('/proc'));
      assert.ok((seen['threads'] as number) > 1);
    });
  });

  test('fails when its process, its thread, or the progress of its thread cannot be seen', async () => {
    const { root, write, remove } = machine();
    try {
      const tid = ownThread('/proc');
      await withKernel(
        async (rig) => {
          await assert.rejects(rig.probe(ID), /is not among the threads/);
          write(`${process.pid}/task/${tid}/schedstat`, '1000000 0 1\n');
          await assert.rejects(rig.probe(ID), /stands still at 1 ms/);
          rmSync(join(root, `${process.pid}`, 'stat'));
          await assert.rejects(rig.probe(ID), /own process is not to be seen/);
        },
        { proc: root },
      );
    } finally {
      remove();
    }
  });

  test('fails with a clear reason where there is no /proc', async (t) => {
    await withKernel(async (rig) => {
      t.mock.property(process, 'platform', 'plan9' as NodeJS.Platform);
      await assert.rejects(rig.probe(ID), /Linux's \/proc, and this is plan9/);
    });
  });
});
