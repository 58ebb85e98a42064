import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Done, Written } from './entries.ts';

export type Record = (entry: Written | Done) => void;

/**
 * Appends to `<who>.<life>.ndjson`, a write call a line: what was written is in the page cache, which outlives every `kill -9`. The
 * file must be new: two lives of one participant with the same number would be a defect of the supervisor, and this throws EEXIST.
 */
export function openRecord(folder: string, who: string, life: number): Record {
  const file = openSync(join(folder, `${who}.${life}.ndjson`), 'ax');
  return (entry) => {
    const t = Number(process.hrtime.bigint() / 1000n);
    writeSync(file, `${JSON.stringify({ t, w: Date.now(), ...entry })}\n`);
  };
}
