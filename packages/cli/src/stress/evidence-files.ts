import { existsSync } from 'node:fs';
import { isAbsolute, join, normalize, sep } from 'node:path';
import { type AnyRecord, HOME } from '@grace/contracts';

/**
 * The files that the system kept as evidence during a run, by their place below the home, which is also their place in the folder of the
 * run. What is not below the evidence folder, and what the system has let go of since, is left out.
 */
export function evidenceFiles(records: readonly AnyRecord[], run: string, home: string): Map<string, string> {
  const start = records.find((record) => record.name === 'run:start' && record.data.run === run)?.seq ?? Infinity;
  const files = new Map<string, string>();
  for (const record of records) {
    if (record.name !== 'kernel:evidence' || record.seq < start) continue;
    const place = normalize(record.data.file);
    if (isAbsolute(place) || !place.startsWith(`${HOME.evidence}${sep}`) || !existsSync(join(home, place))) continue;
    files.set(place, join(home, place));
  }
  return files;
}
