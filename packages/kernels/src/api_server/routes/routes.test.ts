import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { poll } from '@grace/testkit';
import { type Bench, openBench, statusOf } from '../fixtures/bench.ts';
import { parseExposition } from '../fixtures/prometheus-parser.ts';
import { sendRaw } from '../fixtures/raw.ts';

describe('the routes', () => {
  let bench: Bench;
  let reports: string;
  const tokens = { viewer: '', operator: '', admin: '' };
  before(async () => {
    reports = mkdtempSync(join(tmpdir(), 'grace-reports-'));
    const run = join(reports, '2026-11-23_010203_abc');
    mkdirSync(join(run, 'evidence'), { recursive: true });
    mkdirSync(join(reports, '.2026-11-23_unfinished'));
    writeFileSync(join(run, 'report.md'), '# held');
    writeFileSync(join(run, 'evidence', 'stack.txt'), 'at f');
    writeFileSync(join(run, 'empty.json'), '');
    writeFileSync(join(run, '.hidden'), 'secret');
    writeFileSync(join(reports, 'outside.txt'), 'secret');
    symlinkSync(join(reports, 'outside.txt'), join(run, 'link.txt'));
    symlinkSync(reports, join(run, 'up'));
    bench = await openBench({
      reports: [reports, join(reports, 'nowhere')],
      rates: { refused: { perSecond: 10_000 } },
    });
    for (const role of ['viewer', 'operator', 'admin'] as const) tokens[role] = await bench.token(role);
    await bench.write(30);
  });
  after(async () => {
    await bench.close();
    rmSync(reports, { recursive: true, force: true });
  });

  test('every one but the two that are open refuses who has no token, or too low a role', async () => {
    const routes = (await bench.rig.call('api_server', 'routes')) as {
      method: string;
      path: string;
      role: string | null;
    }[];
    assert.ok(routes.length >= 18);
    for (const { method, path, role } of routes) {
      const at = path.replace(/:\w+|\*/g, 'abc');
      for (const token of [null, 'grace_00000000_x', `${tokens.admin}x`]) {
        const { status, body } = await bench.ask(at, { method, token });
        if (role === null) assert.equal(status, 200, path);
        else assert.deepEqual([status, body.error.code], [401, 'API_UNAUTHENTICATED'], `${method} ${path}`);
      }
      if (role === 'admin') assert.equal((await bench.ask(at, { method, token: tokens.operator })).status, 403, path);
    }
  });

  test('a token is taken from the header alone, in the form of the standard', async () => {
    const status = async (headers: Record<string, string>, path = '/api/v1/whoami') =>
      (await bench.ask(path, { headers })).status;
    assert.equal(await status({ authorization: `bearer  ${tokens.viewer} ` }), 200);
    assert.equal(await status({ authorization: `Basic ${tokens.viewer}` }), 401);
    assert.equal(await status({ authorization: tokens.viewer }), 401);
    assert.equal(await status({ cookie: `token=${tokens.viewer}` }), 401);
    assert.equal(await status({}, `/api/v1/whoami?access_token=${tokens.viewer}`), 401);
  });

  test('readiness names the kernels that do not run, and those it does not wait for are left out', async () => {
    assert.deepEqual((await bench.ask('/readyz')).body, { ready: true, reasons: [] });
    const document = statusOf(['scheduler', 'librarian']);
    document.system.state = 'degraded';
    document.kernels[1]!.state = 'quarantined';
    const other = await openBench();
    const lenient = await openBench({ readyWithout: ['librarian'] });
    try {
      other.status = document;
      lenient.status = document;
      const { status, body } = await other.ask('/readyz');
      assert.deepEqual([status, body], [503, { ready: false, reasons: ['librarian is quarantined'] }]);
      assert.equal((await lenient.ask('/readyz')).status, 200);
    } finally {
      await other.close();
      await lenient.close();
    }
  });

  test('metrics are what a strict reader of the format accepts, before and after traffic', async () => {
    await bench.ask('/metrics', { token: tokens.viewer });
    // The broker counts the first question when it has been answered, and answers are shared for a moment.
    await poll('the broker has counted', async () =>
      /latency_seconds_count\{family="kernel"\} [1-9]/.test(
        (await bench.ask('/metrics', { token: tokens.viewer })).body,
      ),
    );
    const { body, headers } = await bench.ask('/metrics', { token: tokens.viewer });
    assert.equal(headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    const families = parseExposition(body);
    const value = (name: string, labels: Record<string, string>) =>
      families
        .get(name)
        ?.samples.find((sample) => Object.entries(labels).every(([key, text]) => sample.labels[key] === text))?.value;
    assert.equal(value('grace_kernel_restarts_total', { kernel: 'scheduler' }), 2);
    assert.equal(value('grace_kernel_cpu_cores', { kernel: 'scheduler' }), 0.015);
    assert.equal(value('grace_kernel_ready_seconds', { kernel: 'scheduler' }), 0.03);
    assert.equal(value('grace_kernel_heap_bytes', { kernel: 'scheduler' }), 1000);
    assert.equal(value('grace_incidents_open', { kind: 'kernel_crash' }), 1);
    assert.equal(value('grace_bus_violations_total', { principal: 'api_server' }), 0);
    assert.ok(value('grace_bus_latency_seconds', { family: 'kernel', le: '+Inf' })! >= 1);
    assert.ok(value('grace_api_requests_total', { route: '/readyz', code: '200' })! >= 1);
  });

  test('the journal is read page by page, and chosen by name and kernel', async () => {
    const get = async (query: string) => (await bench.ask(`/api/v1/journal?${query}`, { token: tokens.viewer })).body;
    const first = await get('after=0&limit=20');
    assert.deepEqual([first.records.length, first.next, first.end], [20, 20, 30]);
    const second = await get(`after=${first.next}&limit=20`);
    assert.deepEqual([second.records[0].seq, second.records.length, second.next], [21, 10, 30]);
    assert.deepEqual(
      (await get('limit=5')).records.map(({ seq }: { seq: number }) => seq),
      [26, 27, 28, 29, 30],
    );
    assert.equal((await get('after=0&names=kernel:*')).records.length, 0);
    assert.match((await get('names=kernel:stat')).error.message, /kernel:state/);
    assert.match((await get('after=-1')).error.message, /query\.after: expected a whole number/);
  });

  test('incidents are chosen, and one is found', async () => {
    const get = async (path: string) => (await bench.ask(`/api/v1/incidents${path}`, { token: tokens.viewer })).body;
    assert.deepEqual(
      (await get('')).incidents.map(({ id }: { id: string }) => id),
      ['inc-2', 'inc-1'],
    );
    assert.deepEqual(
      (await get('?open=true')).incidents.map(({ id }: { id: string }) => id),
      ['inc-1'],
    );
    assert.deepEqual((await get('?kind=flooding&limit=1')).total, 1);
    assert.equal((await get('/inc-1')).id, 'inc-1');
    assert.equal((await get('/inc-9')).error.code, 'UNKNOWN_INCIDENT');
  });

  test('reports are read, and nothing beside them', async () => {
    const get = async (path: string) => await bench.ask(`/api/v1/reports${path}`, { token: tokens.viewer });
    assert.deepEqual((await get('')).body.reports, ['2026-11-23_010203_abc']);
    assert.deepEqual((await get('/2026-11-23_010203_abc')).body.files, [
      'empty.json',
      'evidence/stack.txt',
      'report.md',
    ]);
    const page = await get('/2026-11-23_010203_abc/report.md');
    assert.deepEqual([page.status, page.body, page.headers.get('content-length')], [200, '# held', '6']);
    assert.match(page.headers.get('content-security-policy')!, /^sandbox;/);
    assert.equal((await get('/2026-11-23_010203_abc/evidence/stack.txt')).body, 'at f');
    const outside = [
      'link.txt',
      'up/outside.txt',
      '.hidden',
      'evidence',
      '..',
      '../outside.txt',
      '%2e%2e/outside.txt',
      '..%2foutside.txt',
      '%2e%2e%2foutside.txt',
      'evidence/../../outside.txt',
      'evidence%5c..%5c..%5coutside.txt',
      '%00',
      'report.md%00.txt',
      '//etc/passwd',
      '%2fetc%2fpasswd',
      'evidence//stack.txt',
      'nowhere.md',
    ];
    for (const path of outside) {
      // As it is: a browser's client would take the dots out.
      const raw = await sendRaw(
        bench.port,
        `GET /api/v1/reports/2026-11-23_010203_abc/${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tokens.viewer}\r\n\r\n`,
      );
      assert.ok(raw && (raw.status === 404 || raw.status === 400), `${path}: ${raw?.status}`);
      assert.ok(!raw.text.includes('secret'), path);
    }
    for (const run of ['..', '%2e%2e', '.2026-11-23_unfinished', 'outside.txt', '%2e%2e%2f%2e%2e%2fetc']) {
      const raw = await sendRaw(
        bench.port,
        `GET /api/v1/reports/${run}/passwd HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tokens.viewer}\r\n\r\n`,
      );
      assert.ok(raw && raw.status >= 400 && raw.status < 500, run);
    }
  });

  test('every answer carries the headers that keep browsers of others out', async () => {
    for (const path of ['/healthz', '/api/v1/status', '/nowhere', '/api/v1/reports']) {
      const { headers } = await bench.ask(path, { token: tokens.viewer, headers: { origin: 'https://evil.example' } });
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.equal(headers.get('x-frame-options'), 'DENY');
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.ok(headers.get('content-security-policy'));
      assert.equal(headers.get('access-control-allow-origin'), null);
    }
    assert.equal((await bench.ask('/api/v1/status', { method: 'OPTIONS', token: tokens.viewer })).status, 405);
  });
});
