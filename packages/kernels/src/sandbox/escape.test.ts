import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { poll } from '@grace/testkit';
import { type Bench, processesWith, withSandbox } from './fixtures/bench.ts';

/** What a snippet tries, and how it ends: a state, or the value that says that nothing was found. */
const SNIPPETS: readonly [string, string, string, unknown?][] = [
  [
    'the constructor of a constructor',
    "[].constructor.constructor('return typeof process + typeof require')()",
    'ok',
    'undefinedundefined',
  ],
  [
    'the constructor of what the host gave',
    "console.log.constructor('return typeof process + typeof fetch')()",
    'ok',
    'undefinedundefined',
  ],
  ['the constructor of its input', "input.constructor.constructor('return this')() === globalThis", 'ok', true],
  ['a prototype of its input', 'input.__proto__.polluted = 1; Object.keys(console).join()', 'ok', 'log'],
  [
    'eval',
    "eval('typeof process + typeof globalThis.Deno + typeof std + typeof os')",
    'ok',
    'undefinedundefinedundefinedundefined',
  ],
  [
    'everything that is there',
    'Object.getOwnPropertyNames(globalThis).filter((n) => /process|require|module|fetch|Worker|WebAssembly|setTimeout|std|^os$/i.test(n))',
    'ok',
    [],
  ],
  ['dynamic import', "import('node:fs').then(() => 'open', () => 'refused')", 'ok', 'refused'],
  ['static import', "import fs from 'node:fs'", 'error'],
  [
    'the stack of an error',
    'try { null.x } catch (error) { /node:|\\/home|\\/tmp|file:/.test(error.stack) }',
    'ok',
    false,
  ],
  ['callee and caller', '(function f() { return String(f.caller) })()', 'ok', 'undefined'],
  ['an endless loop', 'for (;;);', 'timeout'],
  ['an endless loop that catches', 'for (;;) try { for (;;); } catch { } finally { for (;;); }', 'timeout'],
  ['endless microtasks', 'const again = () => Promise.resolve().then(again); again()', 'timeout'],
  ['an endless async function', '(async () => { for (;;) await 1 })()', 'timeout'],
  ['an endless expression', "/(a+)+$/.test('a'.repeat(60) + 'b')", 'timeout'],
  ['an endless toJSON', '({ toJSON() { for (;;); } })', 'timeout'],
  ['an endless getter of what is thrown', 'throw { get message() { for (;;); } }', 'timeout'],
  ['an endless string', "let s = 'x'; for (;;) s += s", 'error'],
  ['a large string', "const all = []; for (;;) all.push('x'.repeat(1e6) + all.length)", 'memory'],
  ['an endless list', 'const all = []; for (;;) all.push(new Array(1000).fill(1))', 'memory'],
  ['an endless map', 'const all = new Map(); for (let i = 0; ; i++) all.set(i, {})', 'memory'],
  ['a huge buffer', 'new ArrayBuffer(2 ** 30)', 'memory'],
  ['deep recursion', '(function deeper() { return deeper() + 1 })()', 'memory'],
  ['a deep value', 'let deep = []; for (let i = 0; i < 1e5; i++) deep = [deep]; deep', 'memory'],
  ['deep code', "eval('('.repeat(1e5))", 'memory'],
  ['printing without end', "for (;;) console.log('x'.repeat(1000))", 'output'],
  ['a long value', "'x'.repeat(100_000)", 'output'],
];

/** Bodies of programs; each ends well only if it got out. `it` is what the test tells them. */
const PROGRAMS: readonly [string, string, RegExp][] = [
  ['a file outside, by its path', 'return fs.readFileSync(it.secret)', /ERR_ACCESS_DENIED/],
  ['a file outside, by ..', "return fs.readFileSync('../../store.sqlite')", /ERR_ACCESS_DENIED/],
  [
    'a file outside, by a symbolic link',
    "fs.symlinkSync(it.secret, 'link'); return fs.readFileSync('link')",
    /ERR_ACCESS_DENIED/,
  ],
  [
    'a folder outside, by a relative link',
    "fs.symlinkSync('../..', 'up'); return fs.readdirSync('up')",
    /ERR_ACCESS_DENIED/,
  ],
  [
    'a file outside, by a hard link',
    "fs.linkSync(it.secret, 'hard'); return fs.readFileSync('hard')",
    /ERR_ACCESS_DENIED/,
  ],
  ['writing outside', "return fs.writeFileSync(it.target, 'x')", /ERR_ACCESS_DENIED/],
  ['moving a file out', "fs.writeFileSync('own', 'x'); return fs.renameSync('own', it.target)", /ERR_ACCESS_DENIED/],
  [
    'a connection',
    "const net = await import('node:net'); return new Promise((ok, no) => net.connect(it.port, '127.0.0.1', ok).on('error', no))",
    /ERR_ACCESS_DENIED/,
  ],
  [
    'fetch',
    'return fetch("http://127.0.0.1:" + it.port).catch((error) => { throw error.cause ?? error })',
    /ERR_ACCESS_DENIED/,
  ],
  [
    'the environment of its parent',
    'if (process.env.GRACE_TEST_CANARY) return 1; return fs.readFileSync("/proc/" + it.pid + "/environ")',
    /ERR_ACCESS_DENIED/,
  ],
  [
    'a child process',
    "const { spawn } = await import('node:child_process'); return spawn('sleep', ['1']).pid",
    /ERR_ACCESS_DENIED/,
  ],
  [
    'a worker',
    "const { Worker } = await import('node:worker_threads'); return new Worker('1', { eval: true })",
    /ERR_ACCESS_DENIED/,
  ],
  ['internals', "return process.binding('fs')", /ERR_ACCESS_DENIED/],
  ['an add-on', "return process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libm.so.6')", /ERR_DLOPEN_DISABLED/],
  [
    'an inspector',
    "const { default: i } = await import('node:inspector'); new i.Session().connect(); return i.open(0)",
    /ERR_ACCESS_DENIED|ERR_INSPECTOR/,
  ],
  ['a signal to its parent', 'return process.kill(it.pid, 0)', /ERR_ACCESS_DENIED|ESRCH/],
  [
    'a signal by another name',
    'if (process._kill(it.pid, 0) === 0) return 1; throw { code: "ESRCH" }',
    /ERR_ACCESS_DENIED|ESRCH/,
  ],
  [
    'the priority of its parent',
    "const os = await import('node:os'); return os.setPriority(it.pid, os.getPriority(it.pid))",
    /ERR_ACCESS_DENIED|ESRCH|ERR_SYSTEM_ERROR/,
  ],
];
const program = (body: string): string => `
import fs from 'node:fs';
const it = JSON.parse(process.argv[2]);
const attempt = async () => { ${body} };
attempt().then(() => console.log('OUT'), (error) => { console.error(error.code ?? error.message); process.exitCode = 7; });`;

/** A program that nothing of Node confines: what holds it is the machine. */
const plain = (source: string) => ({
  ...{
    command: process.execPath,
    args: ['main.cjs'],
    files: { 'main.cjs': source },
    isolation: 'weak',
    timeoutMs: 30_000,
  },
});

test('no snippet gets out, and each try is on record', () =>
  withSandbox(async ({ call, record }) => {
    for (const [index, [name, code, state, value]] of SNIPPETS.entries()) {
      const id = `try-${index}`;
      // The deadline of those that would end otherwise is never the one that ends them.
      const timeoutMs = state === 'timeout' ? 60 : 20_000;
      const answer = await call('evaluate', { id, code, input: {}, timeoutMs }).catch((error) => {
        assert.equal(error.code, `SANDBOX_${state.toUpperCase()}`, `${name}: ${error.message}`);
        // By the engine itself, not by the thread's end that stands behind it.
        if (state === 'timeout') assert.match(error.message, /not done after 60 ms/, name);
        assert.ok(error.details.memoryBytes <= 32 * 1024 ** 2, `${name}: ${error.details.memoryBytes} bytes`);
      });
      if (value !== undefined) assert.deepEqual(answer?.['value'], value, name);
      assert.equal((await record(id)).state, state, name);
    }
    assert.equal((await call('evaluate', { code: '1 + 1' }))['value'], 2);
  }));

for (const namespaces of [true, false]) {
  describe(namespaces ? 'with the namespaces of this machine' : 'without namespaces', () => {
    let outside: string;
    let secret: string;
    let target: string;
    let reached = 0;
    const listener = createServer((socket) => {
      reached++;
      socket.destroy();
    });
    let port: number;
    before(async () => {
      outside = mkdtempSync(join(tmpdir(), 'grace-outside-'));
      [secret, target] = [join(outside, 'secret'), join(outside, 'written')];
      writeFileSync(secret, 'secret');
      process.env['GRACE_TEST_CANARY'] = 'canary';
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
      port = (listener.address() as { port: number }).port;
    });
    after(() => {
      listener.close();
      delete process.env['GRACE_TEST_CANARY'];
      rmSync(outside, { recursive: true, force: true });
    });
    const config = { namespaces, children: 3, commands: [process.execPath] };
    const withLive = (work: (bench: Bench, isLive: boolean) => Promise<void>): Promise<void> =>
      withSandbox(async (bench) => {
        const { isolation } = await bench.call<{ isolation: { node: { signals: string } } }>('status');
        await work(bench, isolation.node.signals === 'namespace');
      }, config);

    test('no program of Node gets out, and each try is on record', () =>
      withLive(async ({ call, record }, isLive) => {
        assert.ok(namespaces || !isLive);
        const told = JSON.stringify({ secret, target, port, pid: process.pid });
        const attempt = async ([name, body, refusal]: (typeof PROGRAMS)[number], index: number): Promise<void> => {
          const id = `try-${index}`;
          const files = { 'main.mjs': program(body) };
          const run = { id, command: 'node', args: ['main.mjs', told], files, timeoutMs: 60_000 };
          const { state, stderr, stdout } = (await call('execute', run)) as {
            state: string;
            stderr: string;
            stdout: string;
          };
          assert.deepEqual([state, stdout], ['failed', ''], `${name}: ${stderr}`);
          assert.match(stderr, refusal, name);
          const kept = await record(id);
          assert.deepEqual([kept.state, kept.isolation['files']], ['failed', 'permission'], name);
        };
        await Promise.all(PROGRAMS.map(attempt));
        assert.equal(reached, 0, 'nobody reached the listener');
        assert.ok(!existsSync(target));
        assert.equal(readFileSync(secret, 'utf8'), 'secret');
      }));

    test('its environment holds nothing of its parent, and its own folder can be used', () =>
      withLive(async ({ call }) => {
        const source =
          "require('fs').writeFileSync('own', 'x'); console.log(JSON.stringify([process.env, require('fs').readFileSync(0, 'utf8'), process.cwd()]))";
        const { stdout } = (await call('execute', {
          command: 'node',
          args: ['a/b.cjs'],
          files: { 'a/b.cjs': source },
          stdin: 'said',
        })) as { stdout: string };
        const [env, stdin, folder] = JSON.parse(stdout) as [Record<string, string>, string, string];
        assert.deepEqual(Object.keys(env).sort(), ['GRACE_SANDBOX', 'HOME', 'LANG', 'PATH', 'TMPDIR']);
        assert.deepEqual([stdin, env['HOME']], ['said', folder]);
        assert.ok(!existsSync(folder), 'the folder went with the run');
      }));

    test('loops, floods and bombs are ended at their limit', () =>
      withLive(async ({ outcome, record }) => {
        const run = (id: string, source: string, more: object) =>
          outcome('execute', {
            id,
            command: 'node',
            args: ['x.cjs'],
            files: { 'x.cjs': source },
            timeoutMs: 60_000,
            ...more,
          });
        const flood = "const more = () => process.stderr.write('x'.repeat(10_000), more); more();";
        const fill = "let n = 0; setInterval(() => require('fs').writeFileSync('f' + n++, 'x'.repeat(1e6)), 1);";
        const [disk, loop, output, bomb, heap] = await Promise.all([
          run('disk', fill, { diskBytes: 5e6 }),
          run('loop', 'for (;;);', { timeoutMs: 200 }),
          run('output', flood, { outputBytes: 50_000 }),
          run('bomb', 'const all = []; setInterval(() => all.push(Buffer.alloc(2e7, 1)), 1);', { memoryBytes: 150e6 }),
          run('heap', 'const all = []; for (;;) all.push({ all: [1, 2, 3] });', { memoryBytes: 100e6 }),
        ]);
        assert.deepEqual(
          [disk, loop, output, bomb, heap],
          ['SANDBOX_DISK', 'SANDBOX_TIMEOUT', 'SANDBOX_OUTPUT', 'SANDBOX_MEMORY', 'SANDBOX_MEMORY'],
        );
        for (const [id, state] of [
          ['disk', 'disk'],
          ['loop', 'timeout'],
          ['output', 'output'],
          ['bomb', 'memory'],
          ['heap', 'memory'],
        ] as const)
          assert.equal((await record(id)).state, state);
      }));

    test('a command that is not Node needs a caller who accepts what does not hold', () =>
      withLive(async ({ call, outcome, record }, isLive) => {
        const { isolation, ...strict } = plain('1');
        assert.equal(isolation, 'weak');
        assert.equal(await outcome('execute', { ...strict, id: 'strict' }), 'SANDBOX_ISOLATION');
        assert.equal((await record('strict')).state, 'refused');
        const kept = (await call('execute', plain('1')))['isolation'] as { weak: string[] };
        assert.deepEqual(kept.weak, isLive ? ['files'] : ['files', 'network', 'processes', 'signals']);
        assert.equal(await outcome('execute', { ...plain('1'), network: true, id: 'online' }), 'FORBIDDEN');
        assert.equal((await record('online')).state, 'refused');
      }));

    test('more processes than it may have are ended, with all of them', () =>
      withLive(async ({ outcome }) => {
        const mark = randomUUID();
        // 50 at most, and each ends by itself.
        const source = `const { spawn } = require('child_process');
          for (let i = 0; i < 50; i++) spawn(process.execPath, ['-e', 'setTimeout(() => {}, 20000)', '${mark}'], { detached: true, stdio: 'ignore' }).on('error', () => {});
          setTimeout(() => {}, 20000);`;
        assert.equal(
          await outcome('execute', { ...plain(source), processes: 4, memoryBytes: 2e9 }),
          'SANDBOX_PROCESSES',
        );
        await poll('all to be gone', () => processesWith(mark).length === 0);
      }));

    test('a child that becomes a daemon is gone after the run', () =>
      withLive(async ({ call }, isLive) => {
        const mark = randomUUID();
        // In a namespace nothing has to be left to know it by; without, it is known by its environment.
        const env = isLive ? "{}, cwd: '/'" : 'process.env';
        const source = `const child = require('child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 20000)', '${mark}'], { detached: true, stdio: 'ignore', env: ${env} });
          child.on('spawn', () => { child.unref(); console.log('left', child.pid); process.exit(0); });`;
        const { state, stdout } = (await call('execute', plain(source))) as { state: string; stdout: string };
        assert.deepEqual([state, stdout.split(' ')[0]], ['ok', 'left']);
        await poll('it to be gone', () => processesWith(mark).length === 0, { deadlineMs: 10_000 });
      }));

    if (namespaces) {
      test('a plain program has no network, sees no process but its own, and can signal none', (t) =>
        withLive(async ({ call }, isLive) => {
          if (!isLive) return t.skip('this machine gives no namespaces; status says why');
          const source = `const fs = require('fs');
            const said = { all: fs.readdirSync('/proc').includes('${process.pid}') && fs.readFileSync('/proc/${process.pid}/cmdline', 'latin1') };
            try { process.kill(${process.pid}, 0); said.kill = 'sent'; } catch (error) { said.kill = error.code; }
            require('net').connect(${port}, '127.0.0.1', () => { said.net = 'connected'; done(); }).on('error', (error) => { said.net = error.code; done(); });
            const done = () => { console.log(JSON.stringify(said)); process.exit(0); };`;
          const { stdout, stderr } = (await call('execute', plain(source))) as { stdout: string; stderr: string };
          assert.notEqual(stdout, '', stderr);
          const said = JSON.parse(stdout) as { all: unknown; kill: string; net: string };
          assert.equal(said.kill, 'ESRCH');
          assert.match(said.net, /ENETUNREACH|ECONNREFUSED|EADDRNOTAVAIL/);
          assert.equal(reached, 0);
        }));
    }

    test('network is there for those to whom it is granted', () =>
      withSandbox(
        async ({ call }) => {
          const source =
            "require('net').connect(Number(process.argv[2]), '127.0.0.1', () => { console.log('there'); process.exit(0); });";
          const run = { command: 'node', args: ['n.cjs', `${port}`], files: { 'n.cjs': source }, network: true };
          assert.equal((await call('execute', run))['stdout'], 'there\n');
          await poll('it to arrive', () => reached === 1);
          reached = 0;
        },
        { ...config, network: ['test'] },
      ));
  });
}
