import { randomUUID } from 'node:crypto';
import type { Clock } from '@grace/contracts';
import { GraceError } from '@grace/contracts';
import type { FileKind } from '../languages/examine.ts';
import type { Settings } from '../settings.ts';
import type { Kind, SourceFile, Walked } from '../tree/walk.ts';
import type { Workshop } from '../workshop/workshop.ts';
import type { Finding } from './finding.ts';
import type { FindingsStore } from './findings-store.ts';

export interface ScanRequest {
  root: string;
  /** The configured roots, real. */
  bounds: readonly string[];
  kinds: readonly Kind[];
  signal: AbortSignal;
}

export interface ScanSummary {
  scan: string;
  root: string;
  /** `partial`: something could not be judged; `errors` says what. */
  state: 'complete' | 'partial';
  files: number;
  bytes: number;
  /** Files and projects that were judged, and that were as they were judged before. */
  judged: number;
  unchanged: number;
  skipped: Walked['skipped'];
  truncated: boolean;
  errors: string[];
  tookMs: number;
}

const BATCH_FILES = 64;
const BATCH_BYTES = 4 * 1024 ** 2;
const ERRORS_SHOWN = 20;

export type Scanner = ReturnType<typeof createScanner>;

/** Looks through a tree: what has not changed since it was judged is not judged again, and what was judged is kept when the scan is ended. */
export function createScanner(parts: {
  workshop: Workshop;
  findings: FindingsStore;
  settings: Settings;
  clock: Clock;
  /** Each finding that was not known before. */
  onFinding(scan: string, root: string, finding: Finding): void;
}) {
  const { workshop, findings, settings, clock, onFinding } = parts;
  const { maxFiles, maxBytes, maxFileBytes, ruff } = settings;
  const underWay = new Set<string>();

  const scanTree = async (id: string, { root, bounds, kinds, signal }: ScanRequest): Promise<ScanSummary> => {
    const startMono = clock.monoMs();
    const limits = { maxFiles, maxBytes, maxFileBytes };
    const walked = await workshop.run('list', { root, kinds, ...limits }, signal);
    const present = new Map<Kind, Set<string>>(kinds.map((kind) => [kind, new Set()]));
    const sums = { judged: 0, unchanged: 0 };
    const errors: string[] = [];
    let isWhole = !walked.truncated;

    const keep = (kind: Kind, origin: string, hash: string, found: readonly Finding[] | null): void => {
      present.get(kind)!.add(origin);
      sums[found ? 'judged' : 'unchanged']++;
      if (found) for (const finding of findings.replace(root, origin, kind, hash, found)) onFinding(id, root, finding);
    };
    const tooMany = (where: string, more: number): void => {
      if (more > 0) errors.push(`${where}: ${more} further findings are left out`);
    };
    const examine = async (batch: readonly SourceFile[], known: ReadonlyMap<string, string>): Promise<void> => {
      const files = batch.map(({ file, kind }) => ({
        file,
        kind: kind as FileKind,
        hash: known.get(originOf(file)) ?? null,
      }));
      for (const one of await workshop.run('examine', { root, files, maxFileBytes, ruff }, signal)) {
        if ('error' in one) {
          errors.push(`${one.file}: ${one.error}`);
          // What was known of it stays.
          present.get(one.kind)!.add(originOf(one.file));
        } else {
          keep(one.kind, originOf(one.file), one.hash, one.same ? null : one.findings);
          if (!one.same) tooMany(one.file, one.more);
        }
      }
    };
    const check = async (): Promise<void> => {
      const known = Object.fromEntries(
        [...findings.hashes(root, 'typescript')].map(([origin, hash]) => [origin.replace(/^project /, ''), hash]),
      );
      for (const one of await workshop.run('check', { root, bounds, known, ...limits }, signal)) {
        keep('typescript', `project ${one.project}`, one.hash, one.same ? null : one.findings);
        if (!one.same) tooMany(one.project || 'TypeScript', one.more);
      }
    };

    const work: (() => Promise<void>)[] = [];
    if (walked.files.some(({ kind }) => kind === 'typescript')) work.push(check);
    for (const kind of kinds) {
      if (kind === 'typescript') continue;
      const known = findings.hashes(root, kind);
      for (const batch of batches(walked.files.filter((file) => file.kind === kind)))
        work.push(() => examine(batch, known));
    }
    // The pool's own gate says how many run at a time; here no more are started than can wait there.
    await inLanes(work, settings.threads, (error) => {
      signal.throwIfAborted();
      isWhole = false;
      errors.push(error instanceof Error ? error.message : String(error));
    });
    if (isWhole) for (const [kind, origins] of present) findings.keepOnly(root, kind, origins);
    return {
      scan: id,
      root,
      state: errors.length === 0 && !walked.truncated ? 'complete' : 'partial',
      files: walked.files.length,
      bytes: walked.bytes,
      ...sums,
      skipped: walked.skipped,
      truncated: walked.truncated,
      errors: errors.slice(0, ERRORS_SHOWN),
      tookMs: Math.round(clock.monoMs() - startMono),
    };
  };

  return {
    /** @throws GraceError `CONFLICT` while the same root is scanned, `DEADLINE` */
    async scan(request: ScanRequest): Promise<ScanSummary> {
      const { root, signal } = request;
      if (underWay.has(root)) throw new GraceError('CONFLICT', `${root} is being scanned already`, { root });
      underWay.add(root);
      try {
        const atMs = Math.round(clock.wallMs());
        const summary = await scanTree(`scan-${randomUUID().slice(0, 13)}`, request);
        findings.saveScan(summary.scan, root, atMs, summary);
        return summary;
      } catch (error) {
        if (signal.aborted && !(error instanceof GraceError && error.code === 'DEADLINE'))
          throw new GraceError('DEADLINE', `the scan of ${root} was ended; what was judged is kept for the next`, {
            root,
          });
        throw error;
      } finally {
        underWay.delete(root);
      }
    },
    underWay: () => [...underWay],
  };
}

function originOf(file: string): string {
  return `file ${file}`;
}

function* batches(files: readonly SourceFile[]): Generator<SourceFile[]> {
  let batch: SourceFile[] = [];
  let bytes = 0;
  for (const file of files) {
    if (batch.length >= BATCH_FILES || (batch.length > 0 && bytes + file.bytes > BATCH_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(file);
    bytes += file.bytes;
  }
  if (batch.length > 0) yield batch;
}

async function inLanes(work: (() => Promise<void>)[], lanes: number, onError: (error: unknown) => void): Promise<void> {
  const left = [...work];
  const lane = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) await next().catch(onError);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
