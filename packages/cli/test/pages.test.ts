import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { catalogue } from '@grace/kernels';
import { bootSystem, poll, type System } from '@grace/testkit';
import { root } from './command.ts';
import { examplesOf, runExamples, verbsAsked } from './examples.ts';

const KERNELS = catalogue('dist').map(({ id }) => id);

describe('the pages of the kernels', () => {
  const desk = mkdtempSync(join(tmpdir(), 'grace-pages-'));
  let system: System;
  before(async () => {
    // What the coding agent may touch, its user says.
    system = await bootSystem({ config: { kernels: { coding_agent: { config: { roots: [desk] } } } } });
    assert.equal(system.booted.code, 0, system.booted.stderr);
    // Pages that tell of an incident need one that was.
    process.kill(await system.cellPid('edge'), 'SIGKILL');
    await poll('the end of an incident', async () => (await system.journal('incident:close')).length > 0, {
      deadlineMs: 60_000,
    });
    await system.back('api_server', 1);
  });
  after(async () => {
    rmSync(desk, { recursive: true, force: true });
    await system?.stop();
  });

  for (const id of KERNELS)
    test(`${id}: there is an example of every verb, and each ends as its page says`, { timeout: 180_000 }, async () => {
      const page = join(root, `docs/kernels/${id}.md`);
      assert.ok(existsSync(page), `docs/kernels/${id}.md is not there`);
      const examples = examplesOf(page);
      const asked = verbsAsked(examples, id);
      const verbs = await system.client.request('verbs', { kernel: id });
      assert.deepEqual(
        verbs.filter((verb) => !asked.has(verb)),
        [],
        'verbs without an example',
      );
      const folder = join(desk, id);
      mkdirSync(folder);
      for (const { text, refused, answers, code, stdout, stderr } of await runExamples(examples, folder, system.home)) {
        if (refused === null) assert.equal(code, 0, `${text}\n${stderr}`);
        else assert.ok(code !== 0 && stderr.includes(refused), `${text}\n${code}: ${stderr || stdout}`);
        if (answers !== null) assert.ok(stdout.includes(answers), `${text}\n${stdout}`);
      }
    });
});
