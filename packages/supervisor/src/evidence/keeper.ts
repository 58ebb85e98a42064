import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CellMethods,
  type EvidenceKind,
  GraceError,
  type JournalRecord,
  type ProfileKind,
  type WireError,
} from '@grace/contracts';
import type { Channel } from '@grace/control';
import type { Journal } from '../journal/journal.ts';
import { createCellOutput } from './cell-output.ts';
import { createEvidenceFolder, statisticsFile } from './folder.ts';
import { createSourceMaps } from './source-maps.ts';
import { errorText, ownLines, stackLines } from './text.ts';

/** Whose evidence it is. `incident` null: somebody asked for it. */
export interface EvidenceOf {
  kernel: string;
  cell: string;
  incarnation: number;
  incident: string | null;
  /** The fault's own id, where the incident has one. */
  correlation?: string;
}

export type EvidenceRecord = JournalRecord<'kernel:evidence'>;

/** Keeps files to look at later, and says in the journal that it did. */
export interface EvidenceKeeper {
  /**
   * Where the thread is. A thread in native code gives no frames; that, and what the system knows of it, is evidence as well.
   * @throws GraceError `CELL_GONE`, `KERNEL_GONE`, `CONNECTION_CLOSED`, `STORAGE_FULL`, `STORAGE_FAILED`
   */
  stack(of: EvidenceOf, deadlineMs?: number): Promise<{ record: EvidenceRecord; stack: Stack | null }>;
  /** @throws GraceError as `kernel.profile` does, and `CELL_GONE` */
  profile(of: EvidenceOf, kind: ProfileKind, durationMs: number): Promise<EvidenceRecord>;
  /** A crash, with the stack as its author placed it and the lines around. */
  error(of: EvidenceOf, error: WireError): Promise<EvidenceRecord>;
  /** What the process of a cell printed before it ended; null when that is nothing. Call it when the end is known, before a successor starts. */
  cellOutput(cell: string, pid: number, incident: string | null): Promise<EvidenceRecord | null>;
}

type Stack = CellMethods['kernel.stack']['result'];

export interface EvidenceKeeperParts {
  home: string;
  journal: Pick<Journal, 'append'>;
  channel(cell: string): Channel | undefined;
}

const STACK_DEADLINE_MS = 1000;
/** Beyond what the cell itself waits, ms. */
const TRAVEL_MS = 1000;
/** Starting a profiler and fetching the profile, ms. */
const PROFILE_SLACK_MS = 12_000;
const TOP = 8;

export function createEvidenceKeeper({ home, journal, channel }: EvidenceKeeperParts): EvidenceKeeper {
  const folder = createEvidenceFolder(home);
  const output = createCellOutput(home);
  const sources = createSourceMaps();

  const ask = async <M extends keyof CellMethods>(
    { kernel, cell }: EvidenceOf,
    method: M,
    params: CellMethods[M]['params'],
    deadlineMs: number,
  ): Promise<CellMethods[M]['result']> => {
    const to = channel(cell);
    if (!to) throw new GraceError('CELL_GONE', `cell ${cell} of ${kernel} is not connected`);
    return await to.request<CellMethods[M]['result']>(method, params, deadlineMs);
  };

  const journalled = async (
    of: Partial<EvidenceOf>,
    kind: EvidenceKind,
    kept: { file: string; bytes: number },
    top: string[],
  ): Promise<EvidenceRecord> => {
    const { kernel, cell, incarnation, incident = null, correlation } = of;
    await folder.prune();
    return journal.append({
      name: 'kernel:evidence',
      ...(kernel === undefined ? {} : { kernel }),
      ...(cell === undefined ? {} : { cell }),
      ...(incarnation === undefined ? {} : { incarnation }),
      ...(correlation === undefined ? {} : { correlation }),
      data: { kind, incident, ...kept, top: top.slice(0, TOP).map((line) => line.slice(0, 300)) },
    }) as EvidenceRecord;
  };

  const write = (of: EvidenceOf, kind: EvidenceKind, lines: string[]): Promise<{ file: string; bytes: number }> =>
    folder.write(of.incident ?? of.kernel, kind, `${lines.join('\n')}\n`).catch(storage);

  return {
    async stack(of, deadlineMs = STACK_DEADLINE_MS) {
      const { kernel, incarnation } = of;
      const title = `${kernel}, incarnation ${incarnation}, cell ${of.cell}, ${new Date().toISOString()}`;
      try {
        const params = { kernel, incarnation, deadlineMs };
        const stack = await ask(of, 'kernel.stack', params, deadlineMs + TRAVEL_MS);
        const lines =
          stack.frames.length === 0 ? ['It waits for events: no JavaScript runs.'] : stackLines(stack.frames);
        const kept = await write(of, 'stack', [title, `taken in ${stack.ms} ms`, '', ...lines]);
        const own = ownLines(stack.frames);
        return { record: await journalled(of, 'stack', kept, own.length > 0 ? own : lines), stack };
      } catch (error) {
        if (!(error instanceof GraceError) || error.code !== 'DEADLINE') throw error;
        const kept = await write(of, 'stack', [title, 'no frames', '', error.message]);
        return { record: await journalled(of, 'stack', kept, [error.message]), stack: null };
      }
    },
    async profile(of, kind, durationMs) {
      const { kernel, incarnation, incident } = of;
      const name = kind === 'cpu' ? 'cpu_profile' : 'heap_profile';
      const place = await folder.place(incident ?? kernel, name).catch(storage);
      const params = { kernel, incarnation, kind, durationMs, file: join(home, place) };
      const { file, bytes, top } = await ask(of, 'kernel.profile', params, durationMs + PROFILE_SLACK_MS);
      const statistics = statisticsFile(file);
      if (kind === 'heap' && existsSync(statistics)) {
        const kept = { file: statisticsFile(place), bytes: (await stat(statistics)).size };
        await journalled(of, 'heap_statistics', kept, await figures(statistics));
      }
      return await journalled(of, name, { file: place, bytes }, top);
    },
    async error(of, error) {
      const { text, top } = await errorText(error, sources);
      const title = `${of.kernel}, incarnation ${of.incarnation}, cell ${of.cell}, ${new Date().toISOString()}`;
      return await journalled(of, 'error', await write(of, 'error', [title, '', text.trimEnd()]), top);
    },
    async cellOutput(cell, pid, incident) {
      const text = (await output.take(cell)).trimEnd();
      if (text === '') return null;
      const lines = text.split('\n');
      const title = `cell ${cell}, pid ${pid}, ended ${new Date().toISOString()}`;
      const kept = await folder
        .write(incident ?? cell, 'cell_output', `${[title, '', ...lines].join('\n')}\n`)
        .catch(storage);
      const fatal = lines.filter((line) => /fatal|error|signal/i.test(line));
      return await journalled({ cell, incident }, 'cell_output', kept, fatal.length > 0 ? fatal : lines.slice(-TOP));
    },
  };
}

async function figures(file: string): Promise<string[]> {
  const { used_heap_size, heap_size_limit, external_memory } = JSON.parse(await readFile(file, 'utf8')) as Record<
    'used_heap_size' | 'heap_size_limit' | 'external_memory',
    number
  >;
  const mib = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
  return [`heap ${mib(used_heap_size)} of ${mib(heap_size_limit)}, outside it ${mib(external_memory)}`];
}

function storage(error: NodeJS.ErrnoException): never {
  const code = error.code === 'ENOSPC' ? 'STORAGE_FULL' : 'STORAGE_FAILED';
  throw new GraceError(code, `evidence cannot be kept: ${error.message}`, { errno: error.code });
}
