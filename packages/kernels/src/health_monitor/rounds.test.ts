import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStore, defineKernel } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { define, health, run, withMonitor } from './fixtures/bench.ts';
import healthMonitor from './kernel.ts';
import type { StoredResult } from './results.ts';
import { MAX_IN_FLIGHT } from './rounds.ts';

describe('rounds of probes', () => {
  test('there are at most 512 probes', async () => {
    await withMonitor(async (rig) => {
      const one = { kind: 'process', pid: process.pid };
      for (let i = 2; i < 512; i++) await define(rig, { ...one, id: `p${i}` });
      await assert.rejects(define(rig, { ...one, id: 'one-more' }), { code: 'TOO_LARGE' });
      await define(rig, { ...one, id: 'p2', intervalMs: 5000 });
    });
  });

  test('of 200 probes that are due at once, at most 32 are under way, and all get their turn', {
    timeout: 60_000,
  }, async () => {
    let [open, most] = [0, 0];
    const asked = new Set<string>();
    const server = createServer((request, response) => {
      most = Math.max(most, ++open);
      asked.add(request.url!);
      setTimeout(() => {
        open -= 1;
        response.end();
      }, 20);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      await withMonitor(async (rig) => {
        for (let i = 0; i < 200; i++)
          await define(rig, { id: `p${i}`, kind: 'http', url: `${url}/${i}`, intervalMs: 2000, deadlineMs: 20_000 });
        await poll('each was asked', () => asked.size === 200);
        await poll('each has a standing', async () => {
          const { passing } = (await rig.call('health_monitor', 'status', {})) as { passing: number };
          return passing === 202;
        });
        assert.ok(most > 1 && most <= MAX_IN_FLIGHT, `${most} at once`);
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('what was written survives a process killed in the middle of its probes', { timeout: 60_000 }, async () => {
    const fixture = fileURLToPath(new URL('./fixtures/probes-for-ever.ts', import.meta.url));
    const child = spawn(process.execPath, [fixture], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines: string[] = [];
    let rest = '';
    child.stdout.on('data', (chunk) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop()!;
      lines.push(...parts);
      if (lines.length >= 12) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const stateDir = lines[0]!;
    const [told, toldBad] = lines.at(-1)!.split(' ').map(Number);
    const store = createStore(stateDir);
    const here = defineKernel({
      id: 'health_monitor',
      start: (ctx) => healthMonitor.start({ ...ctx, config: { kernels: [] }, stateDir, store }),
    });
    try {
      await withMonitor(async (rig) => {
        const kept = (await rig.call('health_monitor', 'history', { limit: 5000 })) as StoredResult[];
        assert.ok(kept.length >= told! && told! > 0, `${kept.length} of ${told}`);
        assert.equal(store.db.prepare('PRAGMA integrity_check').get()!['integrity_check'], 'ok');
        const budgets = (await rig.call('health_monitor', 'slo', {})) as { id: string; bad: number }[];
        const own = budgets.find(({ id }) => id === 'absent')!;
        const seen = kept.filter(({ probe }) => probe === 'absent').length;
        assert.ok(own.bad >= toldBad! - 1 && own.bad <= seen, 'results and budgets are of one transaction');
        assert.equal((await run(rig, 'absent')).verdict, 'fail', 'its definition is there');
      }, here);
    } finally {
      store.close();
      rmSync(dirname(stateDir), { recursive: true, force: true });
    }
  });

  test('an error budget that burns is told when it begins', async () => {
    await withMonitor(async (rig, state) => {
      const heard: { objective: string; severity: string; firing: boolean; long: number }[] = [];
      await rig.bus('listener').subscribe('kernel.health_monitor.event.slo', ({ payload }) => {
        heard.push(payload as (typeof heard)[number]);
      });
      await poll('healthy', async () => (await health(rig)).state === 'healthy');
      await rig.call('health_monitor', 'slo', {
        set: { id: 'answers', probes: ['kernel.patient'], target: 0.99, windowMs: 86_400_000 },
      });
      state.works = false;
      const alert = await poll(
        'a page',
        () => heard.find((one) => one.objective === 'answers' && one.severity === 'page'),
        {
          deadlineMs: 40_000,
        },
      );
      assert.equal(alert.firing, true);
      assert.ok(alert.long >= 14.4);
    });
  });
});
