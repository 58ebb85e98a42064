// The layer rule: a package imports only what its row in docs/map.md allows, only through the other's `exports`, and never in a circle.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** package -> what it may import. `kernels` may use the broker only in message_bus. */
export const LAYERS = {
  contracts: [],
  control: ['contracts'],
  ledger: ['contracts'],
  bus: ['contracts', 'control'],
  'kernel-sdk': ['contracts', 'bus/client'],
  kernels: ['contracts', 'kernel-sdk', 'bus/broker', 'bus/client', 'ledger'],
  supervisor: ['contracts', 'control', 'ledger'],
  chaos: ['contracts', 'control', 'bus/client'],
  report: ['contracts'],
  cli: ['contracts', 'control', 'ledger', 'bus', 'kernel-sdk', 'kernels', 'supervisor', 'chaos', 'report'],
  testkit: ['contracts', 'control', 'bus', 'kernel-sdk'],
  bench: [
    'contracts',
    'control',
    'ledger',
    'bus',
    'kernel-sdk',
    'kernels',
    'supervisor',
    'chaos',
    'report',
    'cli',
    'testkit',
  ],
};

/** Every violation in the tree at `root`, as sentences. */
export function violations(root) {
  const found = [];
  const edges = new Map();
  for (const file of sources(join(root, 'packages'))) {
    const path = relative(root, file);
    const [, owner] = path.split('/');
    const isTest = /\.test\.ts$/.test(path) || path.split('/')[2] === 'test';
    const targets = [];
    for (const { specifier, line } of imports(readFileSync(file, 'utf8'))) {
      const at = `${path}:${line}`;
      if (specifier.startsWith('.')) {
        const target = resolve(dirname(file), specifier);
        if (!relative(join(root, 'packages', owner), target).startsWith('..')) targets.push(target);
        else found.push(`${at}: imports "${specifier}" across a package border; use the package name and its exports`);
        continue;
      }
      const match = /^@grace\/([^/]+)(?:\/(.+))?$/.exec(specifier);
      if (!match) continue;
      const [, target, sub] = match;
      const allowed = isTest ? [...(LAYERS[owner] ?? []), 'testkit', ...(LAYERS.testkit ?? [])] : (LAYERS[owner] ?? []);
      const full = sub ? `${target}/${sub}` : target;
      if (!allowed.includes(target) && !allowed.includes(full)) {
        found.push(
          `${at}: ${owner} may not import ${full}; it may import ${allowed.join(', ') || 'no other package'} (docs/map.md, Packages)`,
        );
      } else if (full === 'bus/broker' && owner === 'kernels' && path.split('/')[3] !== 'message_bus' && !isTest) {
        found.push(`${at}: only the message_bus kernel may import the broker; other kernels use ctx.bus`);
      }
    }
    edges.set(file, targets);
  }
  return [
    ...found,
    ...cycles(edges).map((cycle) => `import cycle: ${cycle.map((file) => relative(root, file)).join(' -> ')}`),
  ];
}

function* imports(text) {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'"\n;]*?(?:\{[^}]*\}[^'"\n;]*)?(?:from\s*)?['"]([^'"\n]+)['"]|\bimport\(\s*['"]([^'"\n]+)['"]/g;
  for (const match of text.matchAll(pattern)) {
    const specifier = match[1] ?? match[2];
    yield { specifier, line: text.slice(0, match.index + match[0].length).split('\n').length };
  }
}

function* sources(folder) {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (name === 'node_modules' || name === 'fixtures') continue;
    if (statSync(path).isDirectory()) yield* sources(path);
    else if (/\.ts$/.test(name)) yield path;
  }
}

function cycles(edges) {
  const state = new Map();
  const found = [];
  const visit = (file, trail) => {
    state.set(file, 'open');
    for (const next of edges.get(file) ?? []) {
      if (state.get(next) === 'open') found.push([...trail.slice(trail.indexOf(next)), next]);
      else if (!state.has(next) && edges.has(next)) visit(next, [...trail, next]);
    }
    state.set(file, 'done');
  };
  for (const file of edges.keys()) if (!state.has(file)) visit(file, [file]);
  return found;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const found = violations(process.cwd());
  for (const line of found) console.error(line);
  process.exit(found.length === 0 ? 0 : 1);
}
