import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry } from './entries.ts';

const NAME = /^([a-z0-9_]+)\.(\d+)\.ndjson$/;

/**
 * All entries of a run in the order of their time; entries of one life stay in the order in which they were written. The last line of a
 * life that was killed while it wrote may be torn: what it says was not done yet, or is not known to have been done, as the order of
 * writing and doing has it (entries.ts).
 * @throws Error for any other line that is no entry
 */
export function readHistory(folder: string): Entry[] {
  const entries: Entry[] = [];
  for (const name of readdirSync(folder).sort()) {
    const [, who, life] = NAME.exec(name) ?? [];
    if (who !== undefined)
      entries.push(...parseLife(readFileSync(join(folder, name), 'utf8'), who, Number(life), name));
  }
  return entries.sort((a, b) => a.t - b.t);
}

/** The entries of one life. */
export function parseLife(text: string, who: string, life: number, name = `${who}.${life}.ndjson`): Entry[] {
  const lines = text.split('\n');
  // Every whole line ends with a line feed, so what follows the last one is nothing, or torn.
  lines.pop();
  return lines.map((line, index) => {
    try {
      return { ...(JSON.parse(line) as Entry), who, life, line: index + 1 };
    } catch {
      throw new Error(`${name}:${index + 1} is no entry of a history: ${line.slice(0, 80)}`);
    }
  });
}
