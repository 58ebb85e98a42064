// Bundles every process and thread entry into dist/. Threads load compiled, bundled JavaScript: twenty of them pay for each file.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { build } = await import(pathToFileURL(join(root, 'node_modules/esbuild/lib/main.js')).href);

const kernelsDir = join(root, 'packages/kernels/src');
const kernels = readdirSync(kernelsDir, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(kernelsDir, entry.name, 'kernel.ts')))
  .map((entry) => entry.name);

// Another folder beside dist lets two builds of one checkout run side by side; tests read the same variable.
const out = resolve(root, process.env.GRACE_DIST ?? 'dist');
rmSync(out, { recursive: true, force: true });
const LAZY = `const __lazy = (id) => { let all; return new Proxy({}, { get: (known, key) => known[key] ??= (all ??= require(id))[key] }); };`;
/** The same clock as that of `performance.now`, which costs each thread 1.2 ms when it is first looked at. */
const NOW = 'const __now = () => Number(process.hrtime.bigint()) / 1e6;';
const common = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  sourcemap: true,
  sourcesContent: false,
  // piscina starts its own worker file by path, so it must stay a package.
  external: ['piscina'],
  logLevel: 'warning',
};
await Promise.all([buildModules(), buildBundles()]);
await Promise.all([writePolicies(), writeConfigs()]);
writeFileSync(join(out, '.built'), new Date().toISOString());

/** What is started by hand, seldom, or imported by name: modules that share their chunks. */
async function buildModules() {
  const entries = {
    cli: 'packages/cli/src/main.ts',
    thread: 'packages/kernel-sdk/src/thread/main.ts',
    'kernel-sdk': 'packages/kernel-sdk/src/index.ts',
    witness: 'packages/ledger/src/witness/main.ts',
    runner: 'packages/chaos/src/main.ts',
    actor: 'packages/chaos/src/actors/main.ts',
  };
  // Code that kernels give to pool threads.
  for (const id of kernels) {
    const pool = `packages/kernels/src/${id}/pool.ts`;
    if (existsSync(join(root, pool))) entries[`kernels/${id}-pool`] = pool;
  }
  await build({
    ...common,
    entryPoints: Object.entries(entries).map(([name, file]) => ({ in: join(root, file), out: name })),
    outdir: out,
    splitting: true,
    format: 'esm',
    chunkNames: 'chunks/[name]-[hash]',
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
}

/** What every boot starts: one file each, run by `start`, which keeps what was compiled. */
async function buildBundles() {
  const entries = {
    supervisor: bundleOf('packages/supervisor/src/main.ts'),
    guardian: bundleOf('packages/supervisor/src/guardian/main.ts'),
    cell: bundleOf('packages/supervisor/src/cell/main.ts'),
    'bus-storage': bundleOf('packages/bus/src/durable/storage/thread.ts'),
  };
  const thread = join(root, 'packages/kernel-sdk/src/thread/run.ts');
  // The thread runs before the kernel is looked at: a slow import is not a hang.
  for (const id of kernels) {
    const kernel = join(kernelsDir, id, 'kernel.ts');
    entries[`kernels/${id}`] = {
      stdin: {
        contents: `import { runThread } from '${thread}';\nrunThread(async () => (await import('${kernel}')).default);`,
        resolveDir: join(root, 'packages/kernels'),
        sourcefile: `${id}.ts`,
        loader: 'ts',
      },
    };
  }
  await build({
    ...common,
    entryPoints: [{ in: join(root, 'packages/supervisor/src/start/main.ts'), out: 'start' }],
    outdir: out,
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
  });
  await Promise.all(Object.entries(entries).map(([name, entry]) => buildBundle(name, entry)));
}

function bundleOf(file) {
  return { entryPoints: [join(root, file)] };
}

async function buildBundle(name, entry) {
  const code = join(out, `${name}.code.cjs`);
  const { outputFiles } = await build({
    ...common,
    ...entry,
    outfile: code,
    format: 'cjs',
    write: false,
    define: { 'import.meta.url': '__url', 'performance.now': '__now' },
    banner: { js: `const __url = require('node:url').pathToFileURL(__filename).href;\n${LAZY}\n${NOW}` },
  });
  mkdirSync(dirname(code), { recursive: true });
  for (const { path, contents } of outputFiles) {
    if (path !== code) writeFileSync(path, contents);
  }
  const text = ascii(lazily(outputFiles.find(({ path }) => path === code).text));
  writeFileSync(code, text);
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const start = `${name.includes('/') ? '../' : './'}start.cjs`;
  const file = `'${name.split('/').at(-1)}.code.cjs'`;
  writeFileSync(
    join(out, `${name}.cjs`),
    `'use strict';\nmodule.exports = require('${start}').start(require, require.resolve('./' + ${file}), '${digest}');\n`,
  );
}

/** Node's own modules are loaded when something of them is used: crypto alone costs each thread 5 ms. So are two that libraries bring. */
function lazily(text) {
  return text
    .replace(/^(\s*(?:var )?import_\w+ = )require(\("node:[\w/]+"\);)$/gm, '$1__lazy$2')
    .replace(/^(\s*var https?2? = )require(\("(?:node:)?(?:https|http2)"\);)$/gm, '$1__lazy$2');
}

/** Text of one byte for each character is read and compiled in half the time. What esbuild leaves are comments and regular expressions. */
function ascii(text) {
  return text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The built-in policies are checked here, once: checked at the first start of each home, they would double the time of its boot. */
async function writePolicies() {
  const governance = join(kernelsDir, 'governance/policies');
  const [{ readSources }, { checkPolicies }] = await Promise.all([
    import(pathToFileURL(join(governance, 'sources.ts')).href),
    import(pathToFileURL(join(governance, 'check.ts')).href),
  ]);
  const policies = checkPolicies(await readSources([join(root, 'configs/policies')]));
  writeFileSync(join(out, 'policies.json'), JSON.stringify(policies));
}

/** So are the other files of configuration. */
async function writeConfigs() {
  const { checkBuiltIn } = await import(pathToFileURL(join(root, 'packages/cli/src/config/checked.ts')).href);
  writeFileSync(join(out, 'configs.json'), JSON.stringify(await checkBuiltIn(join(root, 'configs'))));
}
