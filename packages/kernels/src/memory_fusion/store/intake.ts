import { GraceError } from '@grace/contracts';
import type { Memories, Remembered } from './memories.ts';

export interface Kept {
  id: string;
  known: boolean;
}

interface Waiting {
  memory: Remembered;
  keep(result: Kept): void;
  refuse(error: unknown): void;
}

/** Memories that may wait for the disk; more are refused, so that a flood is felt by its sender. */
const MAX_WAITING = 4096;
const BATCH = 128;

/**
 * Memories that arrive in the same turn of the event loop are stored in one transaction: one flush to disk for all (group commit). A promise
 * resolves when its memory is on disk.
 */
export function createIntake(memories: Pick<Memories, 'remember'>, onKept: (namespaces: ReadonlySet<string>) => void) {
  let waiting: Waiting[] = [];

  const flush = (): void => {
    const batch = waiting.slice(0, BATCH);
    waiting = waiting.slice(BATCH);
    if (waiting.length > 0) setImmediate(flush);
    try {
      const results = memories.remember(batch.map(({ memory }) => memory));
      batch.forEach(({ keep }, i) => {
        keep(results[i]!);
      });
      onKept(new Set(batch.map(({ memory }) => memory.namespace)));
    } catch (error) {
      for (const { refuse } of batch) refuse(error);
    }
  };

  /** @throws GraceError `CONFLICT` when too many wait already */
  return (memory: Remembered): Promise<Kept> => {
    if (waiting.length >= MAX_WAITING) {
      throw new GraceError('CONFLICT', `${MAX_WAITING} memories wait for the disk already; try again later`);
    }
    return new Promise((keep, refuse) => {
      waiting.push({ memory, keep, refuse });
      if (waiting.length === 1) setImmediate(flush);
    });
  };
}
