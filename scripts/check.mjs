// `pnpm check`: types, lint and format, layer rules, dead exports. All run even when one fails; a line each.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './setup.mjs';

const bin = (name) => join(root, 'node_modules/.bin', name);
const steps = [
  ['types', bin('tsc'), ['--noEmit', '-p', 'tsconfig.json']],
  ['lint and format', bin('biome'), ['check', '--error-on-warnings', '.']],
  ['layers', bin('node'), ['scripts/layers.mjs']],
  ['dead exports', bin('knip'), ['--no-progress']],
];
let broken = 0;
for (const [name, command, args] of steps) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 64e6 });
  console.log(`${result.status === 0 ? '  ok' : 'FAIL'} ${name}`);
  if (result.status !== 0) {
    broken++;
    process.stdout.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  }
}
process.exit(broken === 0 ? 0 : 1);
