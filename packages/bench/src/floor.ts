import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Runs a floor program in a process of its own and returns what it measured. */
export async function floor(name: string, ...args: string[]): Promise<Record<string, number>> {
  const file = fileURLToPath(new URL(`./floors/${name}.mjs`, import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...args], { timeout: 120_000 });
  return JSON.parse(stdout) as Record<string, number>;
}
