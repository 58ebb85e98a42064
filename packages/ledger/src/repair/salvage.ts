import { join } from 'node:path';
import type { Appended } from '../append-queue.ts';
import { type Anchor, type SeqRange, weightiest, without } from '../epoch/seal.ts';
import type { FileLayer } from '../files.ts';
import { toHex, toLatin1 } from '../format.ts';
import { withFile } from '../segments.ts';
import { collectRuns, type Run } from './runs.ts';

export interface Salvage {
  /** In order, none of them overlapping. */
  kept: Run[];
  lost: SeqRange[];
  disputed: SeqRange[];
  /** The end of the prefix that begins at the base and has nothing wrong. */
  lastGood: Appended;
  /** The newest record that exists or that somebody said existed. */
  highest: number;
}

export interface Source {
  folder: string;
  names: readonly string[];
}

/**
 * What of the records after `base` can still be read, wherever in the sources it stands. Where two records claim one seq, the one counts
 * whose hash its successor names. Of records whose whole chain was written anew only an anchor can tell: what lies between the newest
 * anchor that agrees and one that does not is disputed. `atLeast`: a record up to which there is something, readable or not.
 */
export async function salvage(
  files: FileLayer,
  sources: readonly Source[],
  base: Appended,
  anchors: readonly Anchor[],
  atLeast: number,
): Promise<Salvage> {
  const found: Run[] = [];
  const asked = new Set(anchors.map(({ seq }) => seq));
  for (const { folder, names } of sources) {
    for (const segment of names) {
      await withFile(files, join(folder, segment), (file) =>
        collectRuns(file, { folder, segment }, base.seq, found, { asked }),
      );
    }
  }
  const { trusted, refuted, bad } = holdAgainst(found, anchors);
  const { kept, distrusted } = await choose(files, trusted, bad, anchors);
  const disputed = merge([...refuted, ...distrusted]).flatMap((range) => without(range, kept));
  const highest = Math.max(base.seq, atLeast, ...[...kept.slice(-1), ...disputed, ...anchors].map(seqOf));
  const known = [...kept, ...disputed].sort((a, b) => a.from - b.from);
  return {
    kept,
    lost: without({ from: base.seq + 1, to: highest }, known),
    disputed,
    lastGood: goodPrefix(kept, base),
    highest,
  };
}

const seqOf = (one: { to: number } | { seq: number }): number => ('to' in one ? one.to : one.seq);
const recordName = (seq: number, hash: string): string => `${seq} ${hash}`;

/**
 * Takes out of each run what an anchor speaks against: all behind the newest record of it that one agrees with. `bad` names the records
 * that such a run continues.
 */
function holdAgainst(
  runs: readonly Run[],
  anchors: readonly Anchor[],
): { trusted: Run[]; refuted: SeqRange[]; bad: Set<string> } {
  const trusted: Run[] = [];
  const refuted: SeqRange[] = [];
  const bad = new Set<string>();
  for (const run of runs) {
    const { marks } = run;
    const agrees = ({ seq, hash }: Run['marks'][number]) =>
      weightiest(anchors.filter((anchor) => anchor.seq === seq)).every((anchor) => toLatin1(anchor.hash) === hash);
    const wrong = marks.find((mark) => !agrees(mark));
    if (!wrong) {
      trusted.push(run);
      continue;
    }
    const agreed = marks.findLast((mark) => mark.seq < wrong.seq && agrees(mark));
    if (agreed) trusted.push({ ...run, to: agreed.seq, end: agreed.end, hash: agreed.hash, hashBefore: agreed.before });
    else bad.add(recordName(run.from - 1, run.before));
    refuted.push({ from: (agreed?.seq ?? run.from - 1) + 1, to: run.to });
  }
  return { trusted, refuted, bad };
}

/**
 * Goes from the newest record to the oldest. Each record taken names the hash of the one before it, and only a record with that hash is
 * taken for it; where nobody names one, the run that reaches back the furthest is taken, unless it is what a refuted one continues.
 */
async function choose(
  files: FileLayer,
  runs: readonly Run[],
  bad: Set<string>,
  anchors: readonly Anchor[],
): Promise<{ kept: Run[]; distrusted: SeqRange[] }> {
  const kept: Run[] = [];
  const distrusted: SeqRange[] = [];
  const noted = new Map<number, string>();
  for (const { seq, hash } of [...anchors].sort((a, b) => Number(b.inside) - Number(a.inside)))
    noted.set(seq, toLatin1(hash));
  const waiting = [...runs].sort((a, b) => a.to - b.to);
  let active: Run[] = [];
  let expected: string | undefined;
  for (let cursor = waiting.at(-1)?.to ?? 0; cursor > 0; ) {
    while (waiting.length > 0 && waiting.at(-1)!.to >= cursor) active.push(waiting.pop()!);
    active = active.filter(({ from }) => from <= cursor).sort((a, b) => a.from - b.from);
    expected ??= noted.get(cursor);
    let taken: Run | undefined;
    for (const run of [...active]) {
      const part = run.to === cursor ? run : await clip(files, run, cursor);
      if (expected === undefined && bad.has(recordName(cursor, part.hash))) {
        distrusted.push({ from: part.from, to: part.to });
        bad.add(recordName(part.from - 1, part.before));
        active.splice(active.indexOf(run), 1);
      } else if (expected === undefined || part.hash === expected) {
        taken = part;
        break;
      }
    }
    if (taken) kept.unshift(taken);
    expected = taken?.before;
    if (taken) cursor = taken.from - 1;
    else cursor = active.length > 0 ? cursor - 1 : (waiting.at(-1)?.to ?? 0);
  }
  return { kept, distrusted };
}

/** The run up to record `to`. */
async function clip(files: FileLayer, run: Run, to: number): Promise<Run> {
  const place = { folder: run.folder, segment: run.segment };
  const parts: Run[] = [];
  await withFile(files, join(run.folder, run.segment), (file) =>
    collectRuns(file, place, run.from - 1, parts, { offset: run.offset, upTo: to }),
  );
  return parts[0]!;
}

function merge(ranges: readonly SeqRange[]): SeqRange[] {
  const merged: SeqRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last && range.from <= last.to + 1) last.to = Math.max(last.to, range.to);
    else merged.push({ from: range.from, to: range.to });
  }
  return merged;
}

/** No record from `from` on counts as what was acknowledged. */
export function doubt(found: Salvage, from: number): Salvage {
  if (found.kept.every(({ to }) => to < from)) return found;
  const kept = found.kept.flatMap((run) =>
    run.from >= from ? [] : [run.to < from ? run : { ...run, to: from - 1, hash: '' }],
  );
  const doubted = found.kept
    .filter(({ to }) => to >= from)
    .map((run) => ({ from: Math.max(run.from, from), to: run.to }));
  const isCut = found.lastGood.seq >= from;
  return {
    ...found,
    kept,
    disputed: merge([...found.disputed, ...doubted]),
    lastGood: isCut ? { seq: from - 1, hash: '' } : found.lastGood,
  };
}

function goodPrefix(kept: readonly Run[], base: Appended): Appended {
  let { seq, hash } = base;
  for (const run of kept) {
    if (run.from !== seq + 1 || run.before !== toLatin1(hash)) break;
    seq = run.to;
    hash = toHex(run.hash);
  }
  return { seq, hash };
}
