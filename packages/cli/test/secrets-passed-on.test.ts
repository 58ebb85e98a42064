import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bootSystem, openSite, poll, type Site, type System } from '@grace/testkit';
import { CANARY, filesOf, processList, shows } from './canary.ts';
import { grace } from './capture.ts';

const NAME = 'canary.two';
const leaky = fileURLToPath(new URL('./fixtures/leaky.mjs', import.meta.url));
const KERNELS =
  'leaky,agentic_spine,voice_conversation,meta_loop,learning_integration,coding_agent,scheduler,memory_fusion';
const ASKED = [
  'secret_manager.call.get',
  ...['agentic_spine.call.submit', 'voice_conversation.call.open', 'voice_conversation.call.say'],
  ...['meta_loop.call.apply', 'meta_loop.call.rollback', 'learning_integration.call.record'],
  ...['coding_agent.call.scan', 'coding_agent.call.submit', 'memory_fusion.call.remember'],
].map((verb) => `kernel.${verb}`);

/** A transcriber that hears what it was let in with. */
async function openEchoServer(): Promise<{ server: Server; url: string; heard: string[] }> {
  const heard: string[] = [];
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      heard.push(String(request.headers.authorization));
      const text = JSON.stringify({ text: `by-voice ${request.headers.authorization}` });
      response.writeHead(200, { 'content-type': 'application/json' }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/audio/transcriptions`, heard };
}

/** 0.4 s of silence, 0.4 s of a tone, 1 s of silence: 16 bit, 16 kHz. */
function utterance(): string {
  const samples = new Int16Array(28_800);
  for (let i = 6400; i < 12_800; i++) samples[i] = 9000 * Math.sin((i * 2 * Math.PI * 440) / 16_000);
  return Buffer.from(samples.buffer).toString('base64');
}

/** Source in which the secret stands, as it does in the files of others, beside defects that can be mended. */
const SOURCE = {
  'lamp.py': `import os\nTOKEN = "${CANARY}"\nDOORS = {"${CANARY}": 1, "${CANARY}": 2}\nprint(TOKEN, DOORS)\n`,
  'lamp.json': `{\n  "apiKey": "${CANARY}",\n  "turns": 2,\n}\n`,
  'lamp.yaml': `apiKey: "${CANARY}"\nturns: [1, 2\napiKey: "${CANARY}"\n`,
};

const PLAN = `format: 1
id: keep
title: Keep something in mind
goal: { patterns: ['keep in mind {what...}'] }
inputs: { what: { type: text } }
steps:
  - { id: note, call: { kernel: memory_fusion, verb: remember, input: { text: '{{input.what}}' } }, repeat: idempotent }
`;

describe('a secret that a kernel passes on to those who plan, talk, tune, learn and mend', () => {
  let site: Site;
  let system: System;
  let echo: Awaited<ReturnType<typeof openEchoServer>>;
  const files = mkdtempSync(join(tmpdir(), 'grace-source-'));
  const tree = join(files, 'tree');
  const said: string[] = [];
  const call = async <T = Record<string, unknown>>(kernel: string, verb: string, input: unknown): Promise<T> => {
    const answer = await system
      .call<T>(kernel, verb, input)
      .catch((error: Error & { code: string }) => ({ error: error.code, message: error.message }) as T);
    said.push(JSON.stringify(answer));
    return answer;
  };
  const approve = async (id: string): Promise<void> => {
    const input = { id, forMs: 600_000 };
    await system.client.request('call', { kernel: 'governance', verb: 'approve', input, from: 'cli' }, 10_000);
  };
  const ask = (kernel: string, verb: string, input: unknown) =>
    call<{ error?: string; answer?: Record<string, unknown> }>('leaky', 'ask', { kernel, verb, input });

  before(async () => {
    echo = await openEchoServer();
    for (const folder of ['tree', 'plans']) mkdirSync(join(files, folder));
    writeFileSync(join(files, 'plans/keep.yaml'), PLAN);
    for (const [name, text] of Object.entries(SOURCE)) writeFileSync(join(tree, name), text);
    const grants = (allow: string[]) => ({ publish: { allow } });
    const stt = { url: echo.url, model: 'm', key: { secret: NAME } };
    const kernels = {
      leaky: { module: leaky, needs: ['message_bus'], commands: ['tune'], grants: grants(ASKED) },
      voice_conversation: { config: { stt }, grants: grants([ASKED[0]!]) },
      coding_agent: { config: { roots: [tree] } },
      agentic_spine: { config: { plans: join(files, 'plans') } },
    };
    site = openSite({ config: { settings: { log_level: 'trace' }, kernels } });
    system = await bootSystem({
      site,
      args: ['--only', `${KERNELS},secret_manager,governance,immutable_log,clarity_framework`],
    });
    assert.equal(system.booted.code, 0, system.booted.stderr);
    const cli = { cwd: site.dir };
    for (const argv of [
      ['secret', 'grants', 'leaky', NAME, '--can', 'get'],
      ['secret', 'grants', 'voice_conversation', NAME, '--can', 'get'],
    ])
      assert.equal((await grace(['--home', system.home, ...argv], cli)).code, 0);
    const set = await grace(['--home', system.home, 'secret', 'set', NAME], { ...cli, stdin: `${CANARY}\n` });
    assert.deepEqual([set.code, set.stderr], [0, '']);
  });
  after(async () => {
    await system?.stop();
    await site?.close();
    echo?.server.close();
    rmSync(files, { recursive: true, force: true });
  });

  test('reaches none of them in what they are asked, and is in no answer', async () => {
    const waiting = await system.call('leaky', 'take', { name: NAME }).then(
      () => null,
      (error: { code: string; details: { approval: string } }) => error,
    );
    assert.equal(waiting?.code, 'APPROVAL_NEEDED');
    await approve(waiting!.details.approval);
    assert.deepEqual(await call('leaky', 'take', { name: NAME }), { length: CANARY.length });

    const goal = await ask('agentic_spine', 'submit', {
      goal: 'keep in mind by-goal {{secret}}',
      event: { note: 'by-event {{secret}}' },
      key: 'by-goal-key {{secret}}',
      mode: 'step',
    });
    assert.equal(goal.error, undefined, JSON.stringify(goal));
    const { answer } = await ask('voice_conversation', 'open', { mode: 'typed' });
    const turn = await ask('voice_conversation', 'say', { session: answer!['session'], text: 'by-say {{secret}}' });
    assert.equal(turn.answer?.['state'], 'answered');
    assert.equal((await ask('meta_loop', 'apply', { proposal: 'by-proposal {{secret}}' })).error, 'NOT_FOUND');
    const rollback = { experiment: 'by-rollback {{secret}}', reason: '{{secret}}' };
    assert.equal((await ask('meta_loop', 'rollback', rollback)).error, 'NOT_FOUND');
    assert.equal((await call('leaky', 'tune', {}))['error'], undefined);
    const outcome = { playbook: 'replace', outcome: 'healed', tookMs: 1, key: 'by-key {{secret}}' };
    const recorded = await ask('learning_integration', 'record', { ...outcome, signature: 'by-outcome {{secret}}' });
    assert.equal(recorded.error, undefined, JSON.stringify(recorded));
    await ask('coding_agent', 'scan', { root: tree, kinds: ['python'] });
    const task = { root: tree, file: 'lamp.py', rule: 'F601', why: 'by-task {{secret}}' };
    const queued = await ask('coding_agent', 'submit', task);
    assert.equal(queued.error, undefined, JSON.stringify(queued));
    assert.equal((await ask('memory_fusion', 'remember', { text: 'by-memory {{secret}}' })).error, undefined);
  });

  test('is not kept of what a provider says who was let in with it', async () => {
    const { session } = await call<{ session: string }>('voice_conversation', 'open', { mode: 'spoken' });
    const heard = await call<{ utterances: { state: string; text: string }[] }>('voice_conversation', 'hear', {
      session,
      pcm16: utterance(),
      final: true,
    });
    assert.equal(heard.utterances[0]?.state, 'answered', JSON.stringify(heard));
    assert.match(heard.utterances[0].text, /^by-voice .*\[redacted\]/);
    assert.deepEqual(echo.heard, [`Bearer ${CANARY}`], 'the provider itself gets it');
    await call('voice_conversation', 'transcript', { session, exchanges: true });
  });

  test('is not copied out of source that is scanned and mended', async () => {
    const { items } = await call<{ items: { finding: string; rule: string; message: string }[] }>(
      'coding_agent',
      'scan',
      { root: tree, kinds: ['python', 'json', 'yaml'] },
    );
    for (const rule of ['F401', 'F601', 'json-trailing-comma'])
      assert.ok(
        items.some((item) => item.rule === rule),
        `${rule}: ${JSON.stringify(items)}`,
      );
    for (const rule of ['F401', 'json-trailing-comma']) {
      const { finding } = items.find((item) => item.rule === rule)!;
      const { id } = await call<{ id: string }>('coding_agent', 'submit', { finding });
      await poll(
        `${rule} is mended`,
        async () => (await call('coding_agent', 'task', { id }))['state'] === 'verified',
        { deadlineMs: 60_000 },
      );
      const { approval } = await call<{ approval: string }>('coding_agent', 'approve', { id });
      await approve(approval);
      assert.equal((await call('coding_agent', 'apply', { id }))['state'], 'applied');
    }
    assert.doesNotMatch(readFileSync(join(tree, 'lamp.py'), 'utf8'), /import os/);
    assert.ok(JSON.parse(readFileSync(join(tree, 'lamp.json'), 'utf8')).apiKey === CANARY);
  });

  test('stands nowhere: stores, logs, journal, record, answers, process list', async () => {
    await poll('the record has the changes', async () => {
      const { entries } = await call<{ entries: unknown[] }>('immutable_log', 'search', { action: 'change:apply' });
      return entries.length >= 2;
    });
    for (const kernel of KERNELS.split(',')) await call(kernel, 'status', {});
    await call('agentic_spine', 'goals', {});
    await call('learning_integration', 'statistics', {});
    await call('coding_agent', 'tasks', {});
    const written = filesOf(site.dir).map((path) => ({ path, text: readFileSync(path, 'latin1') }));
    assert.deepEqual(
      written.filter(({ text }) => shows(text)).map(({ path }) => path),
      [],
    );
    assert.deepEqual(said.filter(shows), []);
    assert.equal(shows(processList()), false);
    // Each came where it was to come, with something left out.
    for (const [store, way] of [
      ['agentic_spine', 'goal'],
      ['agentic_spine', 'event'],
      ['agentic_spine', 'goal-key'],
      ['voice_conversation', 'say'],
      ['voice_conversation', 'voice'],
      ['learning_integration', 'outcome'],
      ['coding_agent', 'task'],
      ['memory_fusion', 'memory'],
      ['journal', 'tune'],
    ] as const) {
      const kept = written.filter(({ path }) => path.includes(`/${store}/`)).map(({ text }) => text);
      assert.ok(
        kept.some((text) => new RegExp(`by-${way}[^\\n]{0,40}\\[redacted\\]`).test(text)),
        `${store}: ${way}`,
      );
    }
  });
});
