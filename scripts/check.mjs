// `pnpm check`: types, lint and format, layer rules, dead exports. All run, at once and even when one fails; a line each.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { root } from './setup.mjs';

const bin = (name) => join(root, 'node_modules/.bin', name);
const steps = [
  ['types', bin('tsc'), ['--noEmit', '-p', 'tsconfig.json']],
  ['lint and format', bin('biome'), ['check', '--error-on-warnings', '.']],
  ['layers', bin('node'), ['scripts/layers.mjs']],
  ['dead exports', bin('knip'), ['--no-progress']],
];

/** How a step ended, and what it said. */
async function take([name, command, args]) {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve({ ok: false, why: `${error.message}\n` }));
    child.once('close', (code) => resolve({ ok: code === 0, why: '' }));
  });
  const [{ ok, why }, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { name, ok, said: `${out}${err}${why}` };
}

let broken = 0;
for (const step of steps.map(take)) {
  const { name, ok, said } = await step;
  console.log(`${ok ? '  ok' : 'FAIL'} ${name}`);
  if (ok) continue;
  broken++;
  process.stdout.write(said);
}
process.exit(broken === 0 ? 0 : 1);
