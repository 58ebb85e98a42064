import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type AnyRecord, EVENT_NAMES, type GraceError } from '@grace/contracts';
import { defineKernel, type KernelDefinition } from '@grace/kernel-sdk';
import { type KernelRig, poll, rigKernels } from '@grace/testkit';
import kernel from '../kernel.ts';
import { readRuleFile } from './read.ts';

const TRIGGERS = fileURLToPath(new URL('../../../../../configs/triggers.yaml', import.meta.url));

/** Counts what comes on a pattern. */
async function listen(rig: KernelRig, pattern: string) {
  const seen: { subject: string; payload: unknown; correlation: string | undefined }[] = [];
  await rig
    .bus('listener')
    .subscribe(pattern, ({ subject, payload, correlation }) => void seen.push({ subject, payload, correlation }));
  return seen;
}
const define = (rig: KernelRig, definition: Record<string, unknown>) => rig.call('trigger_mesh', 'define', definition);
type Fired = { rule: string; outcome: string; detail: string; deeds: { ok: boolean; error?: string }[] };
const fired = async (rig: KernelRig, limit = 100) => (await rig.call('trigger_mesh', 'fired', { limit })) as Fired[];
type Shown = {
  id: string;
  enabled: boolean;
  counts: Record<string, number>;
  lastError: string | null;
  circuit: { state: string };
};
const shown = async (rig: KernelRig, id: string) => ((await rig.call('trigger_mesh', 'rules', { id })) as Shown[])[0]!;

async function withRig(
  work: (rig: KernelRig) => Promise<void>,
  options: Parameters<typeof rigKernels>[1] = {},
  definition: KernelDefinition = kernel,
) {
  const rig = await rigKernels([definition], options);
  try {
    await work(rig);
  } finally {
    await rig.close();
  }
}

describe('configs/triggers.yaml', () => {
  const records: Record<string, unknown>[] = [
    {
      name: 'incident:open',
      kernel: 'librarian',
      data: { incident: { id: 'i1', severity: 'critical', subject: 'librarian', title: 't' } },
    },
    { name: 'incident:escalate', data: { id: 'i1', reason: 'r' } },
    { name: 'kernel:quarantine', kernel: 'librarian', data: { restarts: 5, windowMs: 1, cause: 'crash' } },
    ...[1, 2, 3].map(() => ({
      name: 'kernel:restart',
      kernel: 'librarian',
      data: { cause: 'crash', attempt: 1, delayMs: 0, by: 'supervisor' },
    })),
    {
      name: 'cell:exit',
      cell: 'work',
      data: { pid: 1, code: null, signal: 'SIGKILL', expected: false, kernels: ['librarian'] },
    },
    { name: 'system:lag', data: { lagMs: 900 } },
    {
      name: 'kernel:condition',
      kernel: 'librarian',
      data: { from: 'healthy', to: 'starved', confidence: 1, evidence: {} },
    },
    {
      name: 'playbook:end',
      data: { run: 'r', playbook: 'p', incident: 'i1', outcome: 'made worse', ms: 1, detail: 'd' },
    },
  ];

  test('each of its rules fires for the records it is made for', () =>
    withRig(
      async (rig) => {
        const seen = await listen(rig, '>');
        for (const [i, record] of records.entries())
          await rig.feed({ seq: i + 1, wallMs: 1, monoMs: 1, ...record } as unknown as AnyRecord);
        const rules = (await readRuleFile(readFileSync(TRIGGERS, 'utf8'), 'triggers.yaml')).map(({ id }) => id);
        await poll(
          'every rule to fire',
          async () => new Set((await fired(rig)).map(({ rule }) => rule)).size === rules.length,
        );
        const all = await fired(rig);
        assert.deepEqual(all.map(({ rule }) => rule).sort(), rules.sort());
        assert.ok(all.every(({ outcome }) => outcome === 'done'));
        const holes = seen
          .filter(({ subject }) => /^(task|trigger)\./.test(subject))
          .flatMap(({ payload }) => Object.values(payload as object));
        assert.equal(holes.includes(null), false, 'every hole of every payload was filled');
      },
      { config: { trigger_mesh: { triggers: TRIGGERS } } },
    ));

  test('names only records that the journal has', async () => {
    const rules = await readRuleFile(readFileSync(TRIGGERS, 'utf8'), 'triggers.yaml');
    const subjects = EVENT_NAMES.map((name) => `system.events.${name.replace(':', '.')}`);
    for (const { on, and } of rules)
      for (const subject of and ? [on, and.on] : [on]) assert.ok(subjects.includes(subject), subject);
  });

  test('a wrong file is refused with its line, and the kernel does not start', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'grace-rules-'));
    after(() => rmSync(dir, { recursive: true, force: true }));
    const file = join(dir, 'triggers.yaml');
    // The rig cannot close a kernel that never started, so this one starts, and says why the real one would not.
    let refusal: GraceError | undefined;
    const starter = defineKernel({
      id: kernel.id,
      start: async (ctx) => {
        refusal = await Promise.resolve(kernel.start(ctx)).then(
          () => undefined,
          (error) => error,
        );
        return { verbs: {}, probe: () => ({}) };
      },
    });
    const start = async (text: string | null) => {
      if (text === null) rmSync(file);
      else writeFileSync(file, text);
      await withRig(async () => {}, { config: { trigger_mesh: { triggers: file } } }, starter);
      return `${refusal?.code} ${refusal?.message}`;
    };
    assert.match(
      await start('format: 1\nrules:\n  - id: a\n    onn: b.c\n    do: [{ log: x }]\n'),
      /CONFIG_INVALID .*triggers\.yaml:4:5: .*did you mean "on"/s,
    );
    const twice = '  - { id: a, on: b, do: [{ log: x }] }\n';
    assert.match(await start(`format: 1\nrules:\n${twice}${twice}`), /triggers\.yaml:4.*"a" stands twice/);
    assert.match(await start('format: [\n'), /CONFIG_INVALID .*triggers\.yaml:/);
    assert.match(await start(null), /CONFIG_UNREADABLE .*triggers\.yaml/);
  });

  test('a rule of the file is switched off, not removed, and stays off', () =>
    withRig(
      async (rig) => {
        await assert.rejects(rig.call('trigger_mesh', 'remove', { id: 'cell_lost' }), { code: 'CONFLICT' });
        await assert.rejects(define(rig, { id: 'cell_lost', on: 'a.b', do: [{ log: 'x' }] }), { code: 'CONFLICT' });
        await rig.call('trigger_mesh', 'enable', { id: 'cell_lost', enabled: false });
        await rig.restart('trigger_mesh');
        assert.equal((await shown(rig, 'cell_lost')).enabled, false);
      },
      { config: { trigger_mesh: { triggers: TRIGGERS } } },
    ));
});
