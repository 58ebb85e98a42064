import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A secret that is looked for wherever it must not stand. */
export const CANARY = 'c4n4ry/of+the=mine-Xq7';

/** The value in the spellings that somebody who looks for it would try. */
const spellings = [
  CANARY,
  JSON.stringify(CANARY).slice(1, -1),
  encodeURIComponent(CANARY),
  Buffer.from(CANARY).toString('hex'),
  ...[0, 1, 2].map((shift) =>
    Buffer.from(`${'x'.repeat(shift)}${CANARY}`)
      .toString('base64')
      .slice(4, -4),
  ),
];
export const shows = (text: string): boolean => spellings.some((spelling) => text.includes(spelling));

export function filesOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Command lines and environments of every process on this machine that may be looked at. */
export function processList(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => ['cmdline', 'environ', 'comm'].map((what) => join('/proc', pid, what)))
    .map((path) => {
      try {
        return readFileSync(path, 'latin1');
      } catch {
        return '';
      }
    })
    .join('\n');
}
