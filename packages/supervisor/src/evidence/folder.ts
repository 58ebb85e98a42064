import { mkdir, readdir, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type EvidenceKind, HOME } from '@grace/contracts';

/** Files to look at later, `<home>/evidence/<incident or kernel>/<time>-<kind>.<ext>`. Only for the owner of the home. */
export interface EvidenceFolder {
  /** Where a file goes, relative to the home. Its folder is there afterwards. */
  place(owner: string, kind: EvidenceKind): Promise<string>;
  write(owner: string, kind: EvidenceKind, text: string): Promise<{ file: string; bytes: number }>;
  /** Removes the oldest files until the rest keeps within the bounds. */
  prune(): Promise<void>;
}

export interface EvidenceBounds {
  files: number;
  bytes: number;
}

/** Per home. A stack has about 2 kB, a CPU profile 0.1-1 MB, a heap profile up to 32 MB. */
export const EVIDENCE_BOUNDS: EvidenceBounds = { files: 500, bytes: 256e6 };
/** A text is cut here, bytes: an error message may be as long as somebody likes. */
const MAX_TEXT_BYTES = 1e6;

const EXTENSION: Record<EvidenceKind, string> = {
  stack: 'txt',
  cpu_profile: 'cpuprofile',
  heap_profile: 'heapprofile',
  heap_statistics: 'json',
  error: 'txt',
  cell_output: 'txt',
};

/** The heap statistics that belong to a heap profile lie beside it. */
export function statisticsFile(profile: string): string {
  return `${profile}.statistics.json`;
}

export function createEvidenceFolder(home: string, bounds: EvidenceBounds = EVIDENCE_BOUNDS): EvidenceFolder {
  const root = join(home, HOME.evidence);
  let lastName = '';
  let sameName = 0;
  let pruning: Promise<void> | null = null;

  const place: EvidenceFolder['place'] = async (owner, kind) => {
    const folder = owner.replaceAll(/[^\w.-]/g, '_').replace(/^\.+/, '_');
    const name = `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${kind}`;
    sameName = name === lastName ? sameName + 1 : 0;
    lastName = name;
    await mkdir(join(root, folder), { recursive: true, mode: 0o700 });
    return join(HOME.evidence, folder, `${name}${sameName === 0 ? '' : `-${sameName}`}.${EXTENSION[kind]}`);
  };

  return {
    place,
    async write(owner, kind, text) {
      const file = await place(owner, kind);
      const bytes = Buffer.from(text, 'utf8').subarray(0, MAX_TEXT_BYTES);
      await writeFile(join(home, file), bytes, { mode: 0o600 });
      return { file, bytes: bytes.length };
    },
    prune() {
      pruning ??= prune(root, bounds).finally(() => {
        pruning = null;
      });
      return pruning;
    },
  };
}

async function prune(root: string, bounds: EvidenceBounds): Promise<void> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        const found = await stat(path).catch(() => null);
        return { path, folder: entry.parentPath, atMs: found?.mtimeMs ?? 0, bytes: found?.size ?? 0 };
      }),
  );
  files.sort((a, b) => b.atMs - a.atMs || (a.path < b.path ? 1 : -1));
  let bytes = 0;
  for (const [index, file] of files.entries()) {
    bytes += file.bytes;
    if (index < bounds.files && bytes <= bounds.bytes) continue;
    await rm(file.path, { force: true });
    // Only when it was the last.
    await rmdir(file.folder).catch(() => {});
  }
}
