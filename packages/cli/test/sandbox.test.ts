import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bootSystem, poll, type System } from '@grace/testkit';

const PAGE = fileURLToPath(new URL('../../../docs/kernels/sandbox.md', import.meta.url));

/** The commands of the page, word by word as a shell would split them. */
const examples = readFileSync(PAGE, 'utf8')
  .split('```sh')[1]!
  .split('```')[0]!
  .trim()
  .split('\n')
  .map((line) => [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!).slice(1));

describe('the sandbox in a whole system', () => {
  let system: System;
  before(async () => {
    system = await bootSystem({ args: ['--only', 'sandbox'] });
    assert.equal(system.booted.code, 0, system.booted.stderr);
  });
  after(() => system?.site.close({ mayLeave: true }));

  test('every example of its page runs, and ends as the page says', async () => {
    assert.ok(examples.length >= 8);
    for (const words of examples) {
      const { code, stdout, stderr } = await system.grace(...words);
      const refused = words[2] === 'cancel' ? /CONFLICT/ : words[3]!.includes('endless') ? /SANDBOX_TIMEOUT/ : null;
      if (refused) assert.match(stderr, refused);
      else assert.equal(code, 0, `${words.join(' ')}: ${stderr}`);
      if (words[3]!.includes('prices')) assert.match(stdout, /7/);
      if (words[3]!.includes('Ada')) assert.match(stdout, /hello Ada/);
      if (words[3]!.includes('nosy')) assert.match(stdout, /ERR_ACCESS_DENIED/);
    }
  });

  test('a cell that is killed while it runs things loses no record, and leaves no program', async () => {
    const call = (verb: string, input: unknown) =>
      system.call<{ state: string; isolation: object }[]>('sandbox', verb, input);
    const files = { 'wait.cjs': 'setInterval(() => {}, 1000)' };
    const program = { id: 'program', command: 'node', args: ['wait.cjs'], files, timeoutMs: 200_000 };
    const ended = Promise.allSettled([
      call('execute', program),
      call('evaluate', { id: 'snippet', code: 'for (;;);', timeoutMs: 60_000 }),
    ]);
    await poll('both to run', async () => (await call('runs', { state: 'running' })).length === 2);
    const { incarnation } = await system.kernel('sandbox');
    process.kill(await system.cellPid('work'), 'SIGKILL');
    await system.back('sandbox', incarnation);
    for (const id of ['program', 'snippet']) assert.equal((await call('runs', { id }))[0]!.state, 'lost', id);
    assert.ok((await ended).every(({ status }) => status === 'rejected'));
  });

  test('leaves nothing behind when it stops', async () => {
    await system.stop();
  });
});
