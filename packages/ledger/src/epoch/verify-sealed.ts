import { join } from 'node:path';
import { digestOfFile, type FileLayer } from '../files.ts';
import type { LedgerProblem } from '../problems.ts';
import { SEAL_FILE, type SealedEpoch } from './epochs.ts';
import { countOf, type SealedReport } from './seal.ts';

/**
 * Whether sealed epochs are as they were sealed: each seal names the seal before it and the digest of every file. What a later seal tells
 * about an earlier one is known, and is not told again.
 */
export async function verifySealed(
  files: FileLayer,
  sealed: readonly SealedEpoch[],
  signal: AbortSignal | undefined,
): Promise<{ reports: SealedReport[]; problems: LedgerProblem[] }> {
  const reports: SealedReport[] = [];
  const problems: LedgerProblem[] = [];
  const report = (epoch: SealedEpoch, file: string, message: string) =>
    problems.push({ kind: 'seal', segment: `epoch-${epoch.number}/${file}`, offset: 0, message });
  for (const [i, epoch] of sealed.entries()) {
    const { seal, dir, number } = epoch;
    const next = sealed[i + 1];
    const isFirst = i === 0 ? number !== 1 : sealed[i - 1]!.number !== number - 1;
    if (isFirst) report(epoch, '', `epoch ${number - 1} is gone`);
    if (next?.seal && next.seal.base.hash !== epoch.sealHash) {
      report(epoch, SEAL_FILE, 'it is not the seal that the epoch after it continues');
    }
    if (seal === null) {
      report(epoch, SEAL_FILE, 'it cannot be read');
      continue;
    }
    for (const { name, bytes, sha256 } of seal.files) {
      signal?.throwIfAborted();
      const path = join(dir, name);
      const isSame = (await files.look(path))?.bytes === bytes && (await digestOfFile(files, path)) === sha256;
      if (!isSame) report(epoch, name, 'the evidence is not as it was sealed');
    }
    const { sealedAtMs, by, reason, kept, lost, disputed } = seal;
    reports.push({ epoch: number, sealedAtMs, by, reason, records: countOf(kept), lost, disputed });
  }
  const known = new Set(sealed.flatMap(({ seal }) => seal?.problems ?? []).map(nameOf));
  return { reports, problems: problems.filter((problem) => !known.has(nameOf(problem))) };
}

const nameOf = ({ kind, segment, message }: LedgerProblem): string => `${kind} ${segment} ${message}`;
