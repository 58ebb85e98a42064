import type { AnyDraft, WireError } from '@grace/contracts';
import type { Command } from './events.ts';
import type { CellRecord, CoreState, KernelRecord } from './state.ts';

/** The next state in the making, with the commands it causes. Records are copied before they are changed, so the old state stays as it was. */
export class Draft {
  readonly now: number;
  readonly commands: Command[] = [];
  readonly state: CoreState;

  /** `cell`: nothing outside this cell will be changed, so the records of the others stay shared with the state before. */
  constructor(state: CoreState, now: number, cell: string | null = null) {
    this.now = now;
    this.state = {
      ...state,
      kernels: copyEach(state.kernels, (kernel) =>
        cell === null || kernel.cell === cell ? { ...kernel, probe: { ...kernel.probe } } : kernel,
      ),
      cells: copyEach(state.cells, (record, id) => (cell === null || id === cell ? { ...record } : record)),
      incidents: copyEach(state.incidents, (incident) => ({ ...incident })),
      mutes: { ...state.mutes },
      machine: { ...state.machine },
    };
  }

  kernel(id: string): KernelRecord {
    const kernel = this.state.kernels[id];
    if (!kernel) throw new Error(`no kernel ${id}`);
    return kernel;
  }

  cell(id: string): CellRecord {
    this.state.cells[id] ??= newCell();
    return this.state.cells[id]!;
  }

  *kernelsOf(cell: string): Generator<[string, KernelRecord]> {
    for (const entry of Object.entries(this.state.kernels)) if (entry[1].cell === cell) yield entry;
  }

  order(command: Command): void {
    this.commands.push(command);
  }

  /** Keeps something to look at of a kernel. */
  evidence(kind: 'stack' | 'error', kernel: string, incident: string, error: WireError | null = null): void {
    const { cell, incarnation, correlation } = this.kernel(kernel);
    this.order({ do: 'evidence', kind, kernel, cell, incarnation, incident, correlation, pid: null, error });
  }

  journal(draft: AnyDraft, correlation?: string): void {
    this.commands.push({
      do: 'journal',
      draft: correlation === undefined ? draft : ({ ...draft, correlation } as AnyDraft),
    });
  }

  /** 0..1, from the state: mulberry32, public domain (Tommy Ettinger). */
  random(): number {
    this.state.random = (this.state.random + 0x6d2b79f5) | 0;
    let t = this.state.random;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
}

function copyEach<T>(record: Record<string, T>, copy: (value: T, key: string) => T): Record<string, T> {
  const next: Record<string, T> = {};
  for (const key in record) next[key] = copy(record[key]!, key);
  return next;
}

/** A cell before its first process. */
export function newCell(): CellRecord {
  return {
    state: 'down',
    incarnation: 0,
    pid: null,
    orderedMono: 0,
    endMono: Infinity,
    failures: 0,
    dueMono: 0,
    sample: null,
    heardMono: 0,
    silence: null,
    silentMono: -Infinity,
    overMono: null,
    unexplained: [],
    culprit: null,
  };
}
