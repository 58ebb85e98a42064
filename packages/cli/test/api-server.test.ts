import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { HOME } from '@grace/contracts';
import { bootSystem, openSite, poll, type Site, type System } from '@grace/testkit';

interface Answered {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test states what it expects by comparing
  body: any;
}

describe('api_server in a whole system', () => {
  const policies = mkdtempSync(join(tmpdir(), 'grace-policies-'));
  let site: Site;
  let system: System;
  let url: string;
  before(async () => {
    writeFileSync(
      join(policies, 'people.yaml'),
      'format: 1\nprincipals:\n  "api_server:boss": { tier: act, kind: operator, roles: [approver] }\n',
    );
    site = openSite({ config: { kernels: { governance: { config: { policies } } } }, files: {} });
    mkdirSync(join(site.dir, 'stress-reports/2026-11-23_010203_abc'), { recursive: true });
    writeFileSync(join(site.dir, 'stress-reports/2026-11-23_010203_abc/report.md'), '# held');
    system = await bootSystem({ site, args: ['--only', 'api_server,scheduler,governance,immutable_log'] });
    assert.equal(system.booted.code, 0, system.booted.stdout + system.booted.stderr);
    ({ url } = JSON.parse(readFileSync(join(system.home, HOME.api), 'utf8')) as { url: string });
  });
  after(async () => {
    rmSync(join(site.dir, 'stress-reports'), { recursive: true, force: true });
    await system?.stop();
    await site?.close();
    rmSync(policies, { recursive: true, force: true });
  });
  const add = async (principal: string, role: string): Promise<string> => {
    const { code, stdout, stderr } = await system.grace('token', 'add', principal, '--role', role);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^grace_[0-9a-f]{8}_[A-Za-z0-9_-]{43}\n$/);
    return stdout.trim();
  };
  const ask = async (path: string, token: string, body?: unknown): Promise<Answered> => {
    const response = await fetch(url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text };
  };

  test('answers what the supervisor knows, to those who hold a token', async () => {
    const token = await add('alice', 'viewer');
    const { body: status } = await ask('/api/v1/status', token);
    assert.deepEqual(
      [status.system.pid, status.system.home, status.kernels.length],
      [system.pid, system.home, (await system.status()).kernels.length],
    );
    assert.deepEqual(await ask('/readyz', ''), { status: 200, body: { ready: true, reasons: [] } });
    const { body: metrics } = await ask('/metrics', token);
    for (const { id } of status.kernels) assert.ok(metrics.includes(`grace_kernel_up{kernel="${id}"} 1\n`), id);
    assert.match(metrics, /grace_bus_latency_seconds_bucket\{family="kernel",le="\+Inf"\} [1-9]/);
    const { body: page } = await ask('/api/v1/journal?after=0&limit=1', token);
    assert.deepEqual([page.records[0].seq, page.records[0].name, page.next], [1, 'system:boot', 1]);
    assert.equal((await ask('/api/v1/reports/2026-11-23_010203_abc/report.md', token)).body, '# held');
    const doctor = await system.grace('doctor', '--json');
    const found = (JSON.parse(doctor.stdout) as { home: { id: string; state: string; detail: string }[] }).home;
    assert.deepEqual(found.find(({ id }) => id === 'api')?.detail, url);
    assert.equal(statSync(join(system.home, HOME.api)).mode & 0o777, 0o600);
    const { stdout } = await system.grace('token', 'list', '--json');
    const { id } = (JSON.parse(stdout) as { id: string; principal: string }[]).find(
      ({ principal }) => principal === 'alice',
    )!;
    assert.equal((await system.grace('token', 'revoke', id)).code, 0);
    assert.equal((await ask('/api/v1/status', token)).status, 401);
  });

  test('calls verbs in the name of the caller, with permission and on the record', async () => {
    const token = await add('carol', 'operator');
    const job = { id: 'pulse', every: '10m', call: { kernel: 'scheduler', verb: 'status' } };
    assert.equal((await ask('/api/v1/kernels/scheduler/verbs/add', token, job)).status, 200);
    assert.deepEqual(
      (await ask('/api/v1/kernels/scheduler/verbs/jobs', token, {})).body.answer.map((one: { id: string }) => one.id),
      ['pulse'],
    );
    const conflict = await ask('/api/v1/kernels/scheduler/verbs/add', token, job);
    assert.deepEqual([conflict.status, conflict.body.error.code], [409, 'CONFLICT']);
    const secret = await ask('/api/v1/kernels/api_server/verbs/tokens', await add('root', 'admin'), {
      add: { principal: 'x', role: 'admin' },
    });
    assert.match(secret.body.error.message, /^api_server:root gives and takes no tokens/);
    await poll('it is on the record', async () => {
      const { entries, records } = await system.call<Record<string, { actor: string; resource: string }[]>>(
        'immutable_log',
        'search',
        { actor: 'api_server:carol' },
      );
      return (entries ?? records ?? []).some(({ resource }) => resource === 'scheduler.add');
    });
  });

  test('what needs an approval is approved over HTTP by somebody who may, and then done', async () => {
    const [root, boss] = [await add('root', 'admin'), await add('boss', 'admin')];
    const mute = () => ask('/api/v1/kernels/message_bus/verbs/mute', root, { principal: 'workload', periodMs: 1 });
    const waits = await mute();
    assert.deepEqual([waits.status, waits.body.error.code], [403, 'APPROVAL_NEEDED']);
    const approve = (token: string) =>
      ask('/api/v1/kernels/governance/verbs/approve', token, { id: waits.body.error.details.approval });
    const refused = await approve(root);
    assert.deepEqual(
      [refused.status, refused.body.error.code],
      [403, 'FORBIDDEN'],
      'a role of this server is no role of governance',
    );
    assert.equal((await approve(boss)).status, 200);
    assert.equal((await mute()).status, 200);
  });

  test('killed while it makes tokens it keeps those it gave, is back at its address, and streams go on by id', async () => {
    const admin = await add('root', 'admin');
    const { incarnation } = await system.kernel('api_server');
    const { body: page } = await ask('/api/v1/journal?limit=1', admin);
    const pid = await system.cellPid('edge');
    const given: string[] = [];
    let isDown = false;
    const adding = (async () => {
      while (!isDown) {
        await ask('/api/v1/tokens', admin, { principal: 'dave', role: 'viewer' }).then(
          ({ status, body }) => status === 201 && given.push(body.token),
          () => {
            isDown = true;
          },
        );
      }
    })();
    await poll('some tokens were given', () => given.length >= 5);
    process.kill(pid, 'SIGKILL');
    await adding;
    await system.back('api_server', incarnation);
    assert.equal(JSON.parse(readFileSync(join(system.home, HOME.api), 'utf8')).url, url);
    for (const token of given) assert.equal((await ask('/api/v1/whoami', token)).status, 200);
    const stream = await fetch(`${url}/api/v1/events?names=cell:exit`, {
      headers: { authorization: `Bearer ${admin}`, 'last-event-id': String(page.end) },
      signal: AbortSignal.timeout(60_000),
    });
    let text = '';
    for await (const part of stream.body!.pipeThrough(new TextDecoderStream())) {
      text += part;
      if (/\n\n.*event: cell:exit\n.*\n\n/s.test(text)) break;
    }
    assert.match(text, new RegExp(`event: cell:exit\\ndata: .*"pid":${pid}`));
  });
});
