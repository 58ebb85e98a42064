import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { loadPlan } from '../src/config/load.ts';
import type { Session } from '../src/session.ts';
import { grace } from './capture.ts';
import { dist, root } from './command.ts';

describe('plans of a folder of one’s own', () => {
  let cwd: string;
  const plan = (id: string, kernel: string) =>
    `format: 1\nid: ${id}\ntitle: mine\nsteps:\n  - id: ask\n    call: { kernel: ${kernel}, verb: status }\n`;
  before(() => {
    cwd = mkdtempSync(join(tmpdir(), 'grace-cli-plans-'));
    mkdirSync(join(cwd, 'plans'));
    writeFileSync(join(cwd, 'grace.yaml'), 'kernels:\n  agentic_spine:\n    config: { plans: ./plans }\n');
  });
  after(() => rmSync(cwd, { recursive: true }));

  test('are added to those of the product, or take their place', async () => {
    writeFileSync(join(cwd, 'plans/mine.yaml'), plan('mine', 'librarian'));
    writeFileSync(join(cwd, 'plans/review_kernel.yaml'), plan('review_kernel', 'scheduler'));
    const session = { root, dist, cwd, config: undefined, home: join(cwd, '.grace'), version: '0.0.0' } as Session;
    const { kernels } = await loadPlan(session, { armed: false });
    const { library } = kernels.find(({ id }) => id === 'agentic_spine')!.config as {
      library: { id: string; title: string; steps: object[] }[];
    };
    assert.ok(library.some(({ id }) => id === 'ingest_and_find'));
    assert.deepEqual(
      library
        .filter(({ title }) => title === 'mine')
        .map(({ id }) => id)
        .sort(),
      ['mine', 'review_kernel'],
    );
  });

  test('that are wrong are refused before anything starts, with file, line and the nearest kernel', async () => {
    writeFileSync(join(cwd, 'plans/mine.yaml'), plan('mine', 'libarian'));
    const { code, stderr } = await grace(['boot'], { cwd });
    assert.equal(code, 64);
    assert.match(
      stderr,
      /plans\/mine\.yaml:6:21: steps\[0\]\.call\.kernel: .*"libarian" \(did you mean "librarian"\?\)/,
    );
  });

  test('are refused when they are no folder', async () => {
    writeFileSync(join(cwd, 'grace.yaml'), 'kernels:\n  agentic_spine:\n    config: { plans: 7 }\n');
    const { code, stderr } = await grace(['boot'], { cwd });
    assert.equal(code, 64);
    assert.match(stderr, /kernels\.agentic_spine\.config\.plans: expected a folder, got 7/);
  });
});
