import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { defineKernel } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { define, health, run, withMonitor } from './fixtures/bench.ts';
import healthMonitor from './kernel.ts';
import type { StoredResult } from './results.ts';

describe('health_monitor', () => {
  test('every kernel it is told of is probed without being defined, and the system is healthy when all pass', async () => {
    await withMonitor(async (rig) => {
      const seen = await poll('healthy', async () => {
        const now = await health(rig);
        return now.state === 'healthy' ? now : undefined;
      });
      assert.equal(seen.ready, true);
      assert.deepEqual(
        seen.subjects.map(({ subject, state }) => [subject, state]),
        [
          ['health_monitor', 'passing'],
          ['patient', 'passing'],
        ],
      );
    });
  });

  test('a kernel that stops answering is told after several failures, published, and told again when it is back', async () => {
    await withMonitor(async (rig, state) => {
      const heard: { from: string; to: string }[] = [];
      await rig.bus('listener').subscribe('system.health.patient', ({ payload }) => {
        heard.push(payload as { from: string; to: string });
      });
      await poll('healthy', async () => (await health(rig)).state === 'healthy');
      state.works = false;
      const degraded = await poll('degraded', async () => {
        const now = await health(rig);
        return now.state === 'degraded' ? now : undefined;
      });
      assert.equal(degraded.ready, false);
      assert.match(degraded.subjects.find(({ subject }) => subject === 'patient')!.reason, /the patient is unwell/);
      state.works = true;
      await poll('healthy again', async () => (await health(rig)).state === 'healthy');
      await poll('both changes are heard', () => heard.length >= 2 && heard.at(-1)?.to === 'passing');
      assert.ok(heard.some(({ to }) => to === 'failing'));
      for (const [i, { from }] of heard.entries()) if (i > 0) assert.equal(from, heard[i - 1]!.to);
    });
  });

  test('a query passes within its tolerance and fails outside of it', async () => {
    await withMonitor(async (rig, state) => {
      await define(rig, {
        id: 'depth',
        kind: 'query',
        kernel: 'patient',
        verb: 'status',
        path: 'queue.depth',
        target: 3,
        tolerance: 1,
      });
      assert.equal((await run(rig, 'depth')).verdict, 'pass');
      state.depth = 5;
      const result = await run(rig, 'depth');
      assert.equal(result.verdict, 'fail');
      assert.match(result.detail, /queue\.depth is 5, expected 2 to 4/);
      await define(rig, { id: 'text', kind: 'query', kernel: 'patient', verb: 'status', path: 'queue', max: 9 });
      assert.match((await run(rig, 'text')).detail, /expected a number/);
    });
  });

  test('an address is asked for its status and its text, with a deadline', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/hang') return;
      response.statusCode = request.url === '/broken' ? 500 : 200;
      response.end('all is well');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      await withMonitor(async (rig) => {
        const verdict = async (path: string, contains?: string): Promise<string> => {
          await define(rig, {
            id: 'site',
            kind: 'http',
            url: url + path,
            deadlineMs: 500,
            ...(contains ? { contains } : {}),
          });
          return (await run(rig, 'site')).verdict;
        };
        assert.equal(await verdict('/', 'is well'), 'pass');
        assert.equal(await verdict('/', 'is not'), 'fail');
        assert.equal(await verdict('/broken'), 'fail');
        assert.equal(await verdict('/hang'), 'fail');
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('a process is there until it ends', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    try {
      await withMonitor(async (rig) => {
        await define(rig, { id: 'child', kind: 'process', pid: child.pid });
        assert.equal((await run(rig, 'child')).verdict, 'pass');
        const gone = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await gone;
        assert.equal((await run(rig, 'child')).verdict, 'fail');
      });
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('what was defined, what was seen and the error budgets survive a restart', async () => {
    await withMonitor(async (rig) => {
      await define(rig, { id: 'open', kind: 'query', kernel: 'patient', verb: 'status', path: 'queue.depth', min: 1 });
      await define(rig, { id: 'absent', kind: 'process', pid: 2 ** 22 + 1, failAfter: 1 });
      await rig.call('health_monitor', 'slo', {
        set: { id: 'absent', probes: ['absent'], target: 0.9, windowMs: 3_600_000 },
      });
      await run(rig, 'absent');
      await rig.restart('health_monitor');
      assert.equal((await run(rig, 'open')).verdict, 'pass', 'an open bound is still open');
      const seen = (await rig.call('health_monitor', 'history', { id: 'absent' })) as StoredResult[];
      assert.ok(seen.some(({ verdict }) => verdict === 'fail'));
      const budgets = (await rig.call('health_monitor', 'slo', {})) as { id: string; state: string; bad: number }[];
      const own = budgets.find(({ id }) => id === 'absent');
      assert.equal(own?.state, 'exhausted');
      assert.ok(own.bad >= 1);
    });
  });

  test('what fails while its subject is still starting uses up no error budget', async () => {
    await withMonitor(async (rig) => {
      await define(rig, { id: 'late', kind: 'query', kernel: 'patient', verb: 'status', path: 'queue.depth', min: 4 });
      await rig.call('health_monitor', 'slo', {
        set: { id: 'late', probes: ['late'], target: 0.9, windowMs: 3_600_000 },
      });
      const bad = async (): Promise<number> => {
        await rig.call('health_monitor', 'history', {});
        const budgets = (await rig.call('health_monitor', 'slo', {})) as { id: string; bad: number }[];
        return budgets.find(({ id }) => id === 'late')!.bad;
      };
      // Its own schedule may add a look of its own, so the standing says how many there were.
      const failing = async (): Promise<boolean> => {
        const { subjects } = await health(rig);
        return subjects.find(({ subject }) => subject === 'patient')?.state === 'failing';
      };
      for (let look = 0; !(await failing()); look++) {
        assert.equal(await bad(), 0);
        assert.ok(look < 10);
        await run(rig, 'late');
      }
      const before = await bad();
      await run(rig, 'late');
      assert.ok((await bad()) > before);
    });
  });

  test('a removed probe says nothing any more', async () => {
    await withMonitor(async (rig) => {
      await define(rig, { id: 'absent', kind: 'process', pid: 2 ** 22 + 1 });
      await rig.call('health_monitor', 'remove', { id: 'absent' });
      await assert.rejects(run(rig, 'absent'), { code: 'NOT_FOUND' });
      await rig.restart('health_monitor');
      await assert.rejects(run(rig, 'absent'), { code: 'NOT_FOUND' });
    });
  });

  test('without a broker nobody is accused', async () => {
    await withMonitor(async (rig) => {
      await poll('healthy', async () => (await health(rig)).state === 'healthy');
      await rig.broker.close();
      await poll('the patient cannot be seen any more', async () => {
        const found = (await health(rig)).subjects.find(({ subject }) => subject === 'patient');
        assert.notEqual(found?.state, 'failing');
        return found?.state === 'unknown';
      });
    });
  });

  test('bad definitions are refused, naming the field', async () => {
    await withMonitor(async (rig) => {
      await assert.rejects(define(rig, { id: 'x', kind: 'verbs' }), /did you mean "verb"/);
      await assert.rejects(define(rig, { id: 'x', kind: 'process', pid: 0 }), /input\.pid/);
      await assert.rejects(define(rig, { id: 'x', kind: 'http', url: 'file:///etc/passwd' }), /http or https/);
      const query = { id: 'x', kind: 'query', kernel: 'k', verb: 'v', path: 'p' };
      await assert.rejects(define(rig, query), /min and\/or max, or target and tolerance/);
      await assert.rejects(define(rig, { ...query, min: 3, max: 1 }), /at most max/);
      await assert.rejects(define(rig, { id: 'x', kind: 'process', pid: 1, failAftr: 1 }), /did you mean "failAfter"/);
      await assert.rejects(run(rig, 'kernel.patien'), /did you mean "kernel.patient"/);
      const verb = { id: 'x', kind: 'verb', kernel: 'patient', verb: 'status' };
      const circle: Record<string, unknown> = {};
      circle['again'] = circle;
      const refusals: [Record<string, unknown>, string, RegExp][] = [
        [{ ...verb, kernel: 'patietn' }, 'UNKNOWN_KERNEL', /did you mean "patient"/],
        [{ ...verb, verb: 'statsu' }, 'UNKNOWN_VERB', /did you mean "status"/],
        [{ ...verb, input: circle }, 'BAD_INPUT', /what JSON can say/],
        [{ ...verb, input: () => 1 }, 'BAD_INPUT', /what JSON can say/],
        [{ ...verb, input: 'x'.repeat(20_000) }, 'TOO_LARGE', /at most 16384/],
        [{ ...verb, intervalMs: 1 }, 'BAD_INPUT', /intervalMs/],
        [{ ...verb, deadlineMs: Number.NaN }, 'BAD_INPUT', /deadlineMs/],
        [{ ...verb, id: '../x' }, 'BAD_INPUT', /an id of letters/],
        [{ ...verb, subject: 'a.b' }, 'BAD_INPUT', /one word/],
        [{ id: 'x', kind: 'http', url: 'http://example.com/' }, 'FORBIDDEN', /not this machine/],
        [{ id: 'x', kind: 'http', url: 'http://127.0.0.1/', redirects: 6 }, 'BAD_INPUT', /from 0 to 5/],
      ];
      for (const [probe, code, message] of refusals) await assert.rejects(define(rig, probe), { code, message });
      const call = (name: string, input: unknown): Promise<unknown> => rig.call('health_monitor', name, input);
      await assert.rejects(call('history', { id: 'kernel.patien' }), /did you mean "kernel.patient"/);
      await assert.rejects(call('health', { subject: 'patien' }), /did you mean "patient"/);
      await assert.rejects(call('slo', { remove: 'system' }), { code: 'NOT_FOUND' });
      await assert.rejects(call('slo', { set: { id: 'x', probes: ['a'], target: 1, windowMs: 1e6 } }), {
        code: 'BAD_INPUT',
      });
      const { probes } = (await call('status', {})) as { probes: number };
      assert.equal(probes, 2, 'nothing of it was kept');
    });
  });
});

describe('the functional probe of health_monitor', () => {
  test('calls what passes passing and what fails failing', async () => {
    await withMonitor(async (rig) =>
      assert.deepEqual(await rig.probe('health_monitor'), { passing: 3, failing: 2, probes: 2 }),
    );
  });

  test('does not hang on the broker', async () => {
    await withMonitor(async (rig) => {
      await rig.broker.close();
      assert.deepEqual(await rig.probe('health_monitor'), { passing: 3, failing: 2, probes: 2 });
    });
  });

  test('fails when its own status does not answer', async () => {
    const broken = defineKernel({
      ...healthMonitor,
      async start(ctx) {
        const instance = await healthMonitor.start(ctx);
        instance.verbs['status'] = () => {
          throw new Error('broken inside');
        };
        return instance;
      },
    });
    await withMonitor(
      (rig) => assert.rejects(rig.probe('health_monitor'), /must be passing was called failing: broken inside/),
      broken,
    );
  });

  test('fails when every process seems to be there', async (t) => {
    await withMonitor(async (rig) => {
      t.mock.method(process, 'kill', () => true);
      await assert.rejects(rig.probe('health_monitor'), /must be failing was called passing/);
    });
  });
});
