import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import { type Bench, openBench } from '../fixtures/bench.ts';

interface Operation {
  operationId: string;
  security?: object[];
  parameters?: { name: string; in: string; required?: boolean; schema: object }[];
  requestBody?: { content: Record<string, { schema: object }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
  tags: string[];
}
interface OpenApi {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { securitySchemes: Record<string, object> };
  security: Record<string, string[]>[];
  tags: { name: string }[];
}

describe('the description of the routes', () => {
  let bench: Bench;
  let reports: string;
  let token: string;
  before(async () => {
    reports = mkdtempSync(join(tmpdir(), 'grace-reports-'));
    mkdirSync(join(reports, '2026-11-23_010203_abc'));
    bench = await openBench({ reports: [reports] });
    token = await bench.token('admin');
    await bench.write(3);
  });
  after(async () => {
    await bench.close();
    rmSync(reports, { recursive: true, force: true });
  });

  test('is OpenAPI 3.1 in which everything named is there, and every route is in it', async () => {
    const { body } = await bench.ask('/openapi.json', { token: token });
    const document = body as OpenApi;
    assert.match(document.openapi, /^3\.1\.\d+$/);
    assert.ok(document.info.title && document.info.version);
    const routes = (await bench.rig.call('api_server', 'routes')) as {
      method: string;
      path: string;
      id: string;
      role: string | null;
    }[];
    const seen: string[] = [];
    for (const [path, item] of Object.entries(document.paths)) {
      assert.match(path, /^\//);
      for (const [method, operation] of Object.entries(item)) {
        const at = `${method} ${path}`;
        seen.push(operation.operationId);
        const route = routes.find(({ id }) => id === operation.operationId);
        assert.ok(route, at);
        assert.deepEqual(
          [method.toUpperCase(), path.replace(/\{(\w+|\*)\}/g, (_, name) => (name === '*' ? '*' : `:${name}`))],
          [route.method, route.path],
        );
        const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name!).sort();
        const told = (operation.parameters ?? []).filter((one) => one.in === 'path');
        assert.deepEqual(told.map(({ name }) => name).sort(), inPath, at);
        assert.ok(
          told.every(({ required }) => required === true),
          at,
        );
        const names = (operation.parameters ?? []).map((one) => `${one.in} ${one.name}`);
        assert.equal(new Set(names).size, names.length, at);
        assert.ok(
          operation.tags.every((tag) => document.tags.some(({ name }) => name === tag)),
          at,
        );
        const security = operation.security ?? document.security;
        assert.equal(security.length === 0, route.role === null, at);
        for (const one of security)
          for (const name of Object.keys(one as object)) assert.ok(document.components.securitySchemes[name], at);
        assert.ok(Object.keys(operation.responses).length > 0);
        for (const [status, { description, content = {} }] of Object.entries(operation.responses)) {
          assert.match(status, /^([1-5](\d\d|XX)|default)$/, at);
          assert.ok(description, at);
          for (const { schema } of Object.values(content)) z.fromJSONSchema(schema as never);
        }
      }
    }
    assert.deepEqual(seen.sort(), routes.map(({ id }) => id).sort());
    assert.ok(!JSON.stringify(document).includes('$ref'), 'nothing points elsewhere');
  });

  test('what the routes answer is what the description says', async () => {
    const { body } = await bench.ask('/openapi.json', { token: token });
    const values: Record<string, string> = {
      kernel: 'scheduler',
      verb: 'jobs',
      incident: 'inc-1',
      run: '2026-11-23_010203_abc',
    };
    let compared = 0;
    for (const [path, item] of Object.entries((body as OpenApi).paths)) {
      for (const [method, operation] of Object.entries(item)) {
        if (path.includes('{token}') || path.includes('{*}') || path.endsWith('/events')) continue;
        const at = path.replace(/\{(\w+)\}/g, (_, name) => values[name]!);
        const answer = await bench.ask(at, {
          token: token,
          method: method.toUpperCase(),
          ...(path.endsWith('/tokens') && method === 'post' ? { body: { principal: 'x', role: 'viewer' } } : {}),
        });
        const described = operation.responses[String(answer.status)]?.content;
        assert.ok(
          described && answer.status < 300,
          `${method} ${at}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 200)}`,
        );
        const [[type, { schema }]] = Object.entries(described) as [[string, { schema: object }]];
        assert.ok(answer.headers.get('content-type')!.startsWith(type), at);
        const checked = z.fromJSONSchema(schema as never).safeParse(answer.body);
        assert.ok(checked.success, `${at}: ${checked.error}`);
        compared++;
      }
    }
    assert.ok(compared >= 15, String(compared));
    const { body: error } = await bench.ask('/api/v1/kernels/nobody', { token: token });
    const form = (body as OpenApi).paths['/api/v1/kernels']!['get']!.responses['4XX']!.content!['application/json']!
      .schema;
    assert.ok(z.fromJSONSchema(form as never).safeParse(error).success, JSON.stringify(error));
  });
});
