import { readFileSync } from 'node:fs';
import type { ThreadSample } from '@grace/contracts';
import type { JudgementContext } from '../../src/judge/classify.ts';

const CORPUS = new URL('./corpus.jsonl', import.meta.url);

/** One line of the corpus: a thread in one state, from before it began until after it ended. */
export interface Recording {
  state: string;
  /** `runtime, cores` of the machine. */
  machine: string;
  /** When the state began and ended, ms since the first sample; `endMs` null: it lasted to the end. */
  beganMs: number;
  endMs: number | null;
  rows: Row[];
}

/** A sample and what was known beside it at that moment. */
export type Row = readonly (number | null)[];

const MISSED = ['forMs', 'cpuMs', 'runDelayMs', 'logs', 'work'] as const;
const SAMPLED = [
  'atMono',
  'heartbeatAgeMs',
  'elu',
  'cpuMs',
  'runDelayMs',
  'heapBytes',
  'externalBytes',
  'heapAtMono',
  'cap',
  'logs',
  'errors',
  'work',
  'published',
  'refused',
] as const;
export type Surroundings = Pick<JudgementContext, 'agentLagMs' | 'supervisorLagMs' | 'machineBusy' | 'alive' | 'probe'>;

export function toRow(sample: ThreadSample, around: Surroundings, firstMono: number): Row {
  const since = (mono: number | null): number | null => (mono === null ? null : mono - firstMono);
  const shifted = { ...sample, atMono: sample.atMono - firstMono, heapAtMono: since(sample.heapAtMono) };
  const { agentLagMs, supervisorLagMs, machineBusy, alive, probe } = around;
  return [
    ...SAMPLED.map((field) => shifted[field]),
    ...MISSED.map((field) => sample.missed?.[field] ?? null),
    agentLagMs,
    supervisorLagMs,
    machineBusy,
    Number(alive),
    probe.inFlightMs,
    probe.failures,
    probe.lastOkAgoMs,
  ].map((value) => (value === null ? null : Math.round(value * 1000) / 1000));
}

export function fromRow(row: Row): { sample: ThreadSample; around: Surroundings } {
  const fields = Object.fromEntries(SAMPLED.map((field, index) => [field, row[index]]));
  const missed = row.slice(SAMPLED.length, SAMPLED.length + MISSED.length);
  const [agentLagMs, supervisorLagMs, machineBusy, alive, inFlightMs, failures, lastOkAgoMs] = row.slice(
    SAMPLED.length + MISSED.length,
  );
  return {
    sample: {
      kernel: 'subject',
      incarnation: 1,
      ...fields,
      missed: missed[0] === null ? null : Object.fromEntries(MISSED.map((field, index) => [field, missed[index]])),
    } as unknown as ThreadSample,
    around: {
      agentLagMs: agentLagMs!,
      supervisorLagMs: supervisorLagMs!,
      machineBusy: machineBusy!,
      alive: alive === 1,
      probe: { inFlightMs: inFlightMs!, failures: failures!, lastOkAgoMs: lastOkAgoMs! },
    },
  };
}

export function readCorpus(): Recording[] {
  return readFileSync(CORPUS, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Recording);
}

export const CORPUS_FILE = CORPUS.pathname;
