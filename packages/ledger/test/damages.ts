import { copyFile, cp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { diskFiles } from '../src/files.ts';
import { Head } from '../src/head.ts';
import { openLedger } from '../src/index.ts';
import type { ProblemKind } from '../src/problems.ts';
import { segmentName } from '../src/segments.ts';
import { readAll, spansOf } from './records.ts';

/** Twelve records in four segments of three: 1-3, 4-6, 7-9, 10-12. */
export const TEXTS = Array.from({ length: 12 }, (_, i) => `${i + 1}-${'x'.repeat(180)}`);
export const SEGMENT_BYTES = 64 + 3 * (92 + 184);

/** A ledger as it is found by whoever comes after the damage. `dir` lies in `root`, beside its outer head and its mirror. */
export interface Site {
  dir: string;
  outerHead: string;
  mirror: string;
}

export const siteIn = (root: string): Site => ({
  dir: join(root, 'ledger'),
  outerHead: join(root, 'ledger.head'),
  mirror: join(root, 'mirror'),
});

export async function writeSite({ dir, outerHead, mirror }: Site, texts: readonly string[] = TEXTS): Promise<void> {
  const ledger = await openLedger({ dir, outerHead, mirror, segmentBytes: SEGMENT_BYTES });
  for (const text of texts) await ledger.append(text);
  await ledger.close();
}

export interface Damage {
  name: string;
  spoil(site: Site): Promise<void>;
  /** Exactly these kinds are told. */
  kinds: ProblemKind[];
  /** Segment and first seq of the first problem. */
  at: [segment: number, seq: number | undefined];
  /** What can be read nowhere any more without a mirror. */
  lost: number[];
}

const path = (site: Site, first: number) => join(site.dir, segmentName(first));

async function editRecords(file: string, edit: (header: Buffer, records: Buffer[]) => Buffer[]): Promise<void> {
  const bytes = await readFile(file);
  const records = (await spansOf(file)).map(({ from, to }) => bytes.subarray(from, to));
  await writeFile(file, Buffer.concat(edit(bytes.subarray(0, 64), records)));
}

export const DAMAGES: Damage[] = [
  {
    name: 'a flipped byte in the middle',
    spoil: async (site) => {
      const file = path(site, 4);
      const bytes = await readFile(file);
      bytes[(await spansOf(file))[1]!.from + 100]! ^= 0x10;
      await writeFile(file, bytes);
    },
    kinds: ['checksum'],
    at: [4, 5],
    lost: [5],
  },
  {
    name: 'a flipped byte in the last record',
    spoil: async (site) => {
      const file = path(site, 10);
      const bytes = await readFile(file);
      bytes[bytes.length - 50]! ^= 1;
      await writeFile(file, bytes);
    },
    kinds: ['checksum'],
    at: [10, 12],
    lost: [12],
  },
  {
    name: 'a damaged header',
    spoil: async (site) => {
      const bytes = await readFile(path(site, 7));
      bytes[3]! ^= 1;
      await writeFile(path(site, 7), bytes);
    },
    kinds: ['header'],
    at: [7, undefined],
    lost: [],
  },
  {
    name: 'a record removed in the middle',
    spoil: (site) => editRecords(path(site, 4), (header, [a, , c]) => [header, a!, c!]),
    kinds: ['gap'],
    at: [4, 5],
    lost: [5],
  },
  {
    name: 'a record removed at the end of a middle segment',
    spoil: (site) => editRecords(path(site, 4), (header, [a, b]) => [header, a!, b!]),
    kinds: ['gap'],
    at: [7, 6],
    lost: [6],
  },
  {
    name: 'a record removed at the very end',
    spoil: (site) => editRecords(path(site, 10), (header, [a, b]) => [header, a!, b!]),
    kinds: ['cut-end'],
    at: [10, 12],
    lost: [12],
  },
  {
    name: 'a tail torn off that had been safe',
    spoil: async (site) => truncate(path(site, 10), (await readFile(path(site, 10))).length - 20),
    kinds: ['cut-end'],
    at: [10, 12],
    lost: [12],
  },
  {
    name: 'two records exchanged',
    spoil: (site) => editRecords(path(site, 7), (header, [a, b, c]) => [header, b!, a!, c!]),
    kinds: ['order'],
    at: [7, 7],
    lost: [],
  },
  {
    name: 'a record repeated',
    spoil: (site) => editRecords(path(site, 7), (header, [a, b, c]) => [header, a!, a!, b!, c!]),
    kinds: ['duplicate'],
    at: [7, 7],
    lost: [],
  },
  {
    name: 'a segment removed',
    spoil: (site) => rm(path(site, 4)),
    kinds: ['missing-segment'],
    at: [7, 4],
    lost: [4, 5, 6],
  },
  {
    name: 'the last segment removed',
    spoil: (site) => rm(path(site, 10)),
    kinds: ['cut-end'],
    at: [7, 10],
    lost: [10, 11, 12],
  },
  {
    name: 'two segments exchanged',
    spoil: async (site) => {
      await rename(path(site, 4), join(site.dir, 'aside'));
      await rename(path(site, 7), path(site, 4));
      await rename(join(site.dir, 'aside'), path(site, 7));
    },
    kinds: ['segment-order', 'segment-order'],
    at: [4, undefined],
    lost: [],
  },
  {
    name: 'a segment copied under another name',
    spoil: (site) => copyFile(path(site, 4), path(site, 8)),
    kinds: ['duplicate-segment'],
    at: [8, undefined],
    lost: [],
  },
  {
    name: 'a segment copied over another',
    spoil: (site) => copyFile(path(site, 4), path(site, 7)),
    kinds: ['duplicate-segment', 'missing-segment'],
    at: [7, undefined],
    lost: [7, 8, 9],
  },
  {
    name: 'a record replaced by another that fits itself',
    spoil: async (site) => {
      const forged = siteIn(`${site.dir}-forged`);
      await writeSite(forged, TEXTS.with(4, `forged-${'y'.repeat(175)}`));
      const other = await readFile(path(forged, 4));
      const span = (await spansOf(path(forged, 4)))[1]!;
      await editRecords(path(site, 4), (header, [a, , c]) => [header, a!, other.subarray(span.from, span.to), c!]);
      await rm(`${site.dir}-forged`, { recursive: true });
    },
    kinds: ['link', 'link'],
    at: [4, 5],
    lost: [5],
  },
  {
    name: 'the folder set back to an older copy',
    spoil: async (site) => {
      // What a copy taken after record 8 would hold: the records until then, and the head of that time.
      await rm(path(site, 10));
      await editRecords(path(site, 7), (header, [a, b]) => [header, a!, b!]);
      await setHead(site, 8);
    },
    kinds: ['rolled-back'],
    at: [7, 9],
    lost: [9, 10, 11, 12],
  },
  {
    name: 'a history written anew with fitting hashes and checksums',
    spoil: async (site) => {
      const forged = siteIn(`${site.dir}-forged`);
      await writeSite(forged, TEXTS.with(4, `forged-${'y'.repeat(175)}`));
      await rm(site.dir, { recursive: true });
      await cp(forged.dir, site.dir, { recursive: true });
      await rm(`${site.dir}-forged`, { recursive: true });
    },
    kinds: ['rewritten'],
    at: [10, 1],
    lost: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  },
];

/** The head that a writer would have left in the folder at record `seq`. */
async function setHead({ dir }: Site, seq: number): Promise<void> {
  const { hash } = (await readAll(dir)).find((record) => record.seq === seq)!;
  const head = new Head(diskFiles, dir, undefined);
  head.note({ seq, hash });
  await head.close();
}
