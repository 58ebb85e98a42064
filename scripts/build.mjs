// Bundles every process and thread entry into dist/. Threads load compiled, bundled JavaScript: twenty of them pay for each file.
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { build } = await import(pathToFileURL(join(root, 'node_modules/esbuild/lib/main.js')).href);

const processes = {
  cli: 'packages/cli/src/main.ts',
  guardian: 'packages/supervisor/src/guardian/main.ts',
  supervisor: 'packages/supervisor/src/main.ts',
  cell: 'packages/supervisor/src/cell/main.ts',
  thread: 'packages/kernel-sdk/src/thread/main.ts',
  'kernel-sdk': 'packages/kernel-sdk/src/index.ts',
  'bus-storage': 'packages/bus/src/durable/storage/thread.ts',
  witness: 'packages/ledger/src/witness/main.ts',
  runner: 'packages/chaos/src/main.ts',
  actor: 'packages/chaos/src/actors/main.ts',
};
const kernelsDir = join(root, 'packages/kernels/src');
const kernels = existsSync(kernelsDir)
  ? readdirSync(kernelsDir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && existsSync(join(kernelsDir, entry.name, 'kernel.ts')))
      .map((entry) => entry.name)
  : [];
const entryPoints = [
  ...Object.entries(processes).map(([out, file]) => ({ in: join(root, file), out })),
  ...kernels.map((id) => ({ in: join(kernelsDir, id, 'kernel.ts'), out: `kernels/${id}` })),
  // Code that kernels give to pool threads.
  ...kernels
    .filter((id) => existsSync(join(kernelsDir, id, 'pool.ts')))
    .map((id) => ({ in: join(kernelsDir, id, 'pool.ts'), out: `kernels/${id}-pool` })),
].filter((entry) => existsSync(entry.in));

// Another folder beside dist lets two builds of one checkout run side by side; tests read the same variable.
const out = resolve(root, process.env.GRACE_DIST ?? 'dist');
rmSync(out, { recursive: true, force: true });
await build({
  entryPoints,
  outdir: out,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  sourcemap: true,
  sourcesContent: false,
  // piscina starts its own worker file by path, so it must stay a package.
  external: ['piscina'],
  chunkNames: 'chunks/[name]-[hash]',
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
// The built-in policies are checked here, once: checked at the first start of each home, they would double the time of its boot.
const governance = join(kernelsDir, 'governance/policies');
if (existsSync(governance)) {
  const [{ readSources }, { checkPolicies }] = await Promise.all([
    import(pathToFileURL(join(governance, 'sources.ts')).href),
    import(pathToFileURL(join(governance, 'check.ts')).href),
  ]);
  const policies = checkPolicies(await readSources([join(root, 'configs/policies')]));
  writeFileSync(join(out, 'policies.json'), JSON.stringify(policies));
}
writeFileSync(join(out, '.built'), new Date().toISOString());
