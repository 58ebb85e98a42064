import type { KernelLog, KernelStore } from '@grace/kernel-sdk';
import type { Kind } from '../store/memory.ts';
import type { VectorCache } from '../store/vector-cache.ts';
import { encodeVector } from '../store/vector-code.ts';
import { isAboutContent, type Model, NoVector } from './model.ts';

/** Characters of one request, whatever the batch. */
const MAX_CHARACTERS = 100_000;
/** After something unforeseen. */
const LATER_MS = 60_000;
const MODEL_KEY = 'model';

interface Waiting {
  rowid: number;
  namespace: string;
  kind: Kind;
  text: string;
}

export type Backlog = ReturnType<typeof createBacklog>;

/**
 * Gets the endpoint's vectors for memories that have none, oldest first and one request at a time. What waits is what the store says, so
 * neither a kill nor an absent endpoint loses any; `remember` never waits for it. Sleeps until it is woken or the endpoint's pause is over.
 */
export function createBacklog(
  store: KernelStore,
  model: Model,
  cache: VectorCache,
  log: KernelLog,
  signal: AbortSignal,
) {
  const { db } = store;
  // The scratch of functional probes is not worth a request.
  const waits = `FROM memory m WHERE m.namespace NOT GLOB 'probe/*' AND NOT EXISTS (SELECT 1 FROM model_vector v WHERE v.rowid = m.rowid)
    AND NOT EXISTS (SELECT 1 FROM leaving l WHERE l.rowid = m.rowid)`;
  const next = db.prepare(
    `SELECT m.rowid AS rowid, m.namespace AS namespace, m.kind AS kind, m.text AS text ${waits} AND m.rowid > ? ORDER BY m.rowid LIMIT ?`,
  );
  const some = db.prepare(`SELECT 1 ${waits} AND m.namespace = ? LIMIT 1`);
  const insert = db.prepare(
    'INSERT OR REPLACE INTO model_vector (rowid, vector) SELECT rowid, ? FROM memory WHERE rowid = ?',
  );
  insert.setReadBigInts(true);
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let after = 0;
  let complete = false;

  if (store.get(MODEL_KEY) !== model.id) {
    store.transaction(() => {
      db.exec('DELETE FROM model_vector');
      store.set(MODEL_KEY, model.id);
    });
  }

  const keep = (rows: readonly Waiting[], vectors: readonly (Float32Array | undefined)[]): void => {
    const stored = vectors.map((vector) => (vector ? encodeVector(vector) : new Uint8Array(0)));
    store.transaction(() => {
      for (const [i, { rowid }] of rows.entries()) insert.run(stored[i]!, rowid);
    });
    rows.forEach(({ namespace, rowid, kind }, i) => void cache.add(namespace, rowid, kind, stored[i]!));
  };

  const get = async (rows: readonly Waiting[]): Promise<void> => {
    try {
      keep(
        rows,
        await model.ask(
          'memories',
          rows.map(({ text }) => text),
        ),
      );
    } catch (error) {
      if (!isAboutContent(error)) throw error;
      if (rows.length === 1) {
        log.warn('the endpoint will not have a memory', { error: (error as Error).message });
        return keep(rows, [undefined]);
      }
      for (const row of rows) await get([row]);
    }
  };

  const work = async (): Promise<void> => {
    while (!signal.aborted) {
      const rows = bounded(next.all(after, model.settings.batch) as unknown as Waiting[]);
      if (rows.length === 0) {
        complete = true;
        return;
      }
      await get(rows);
      after = rows.at(-1)!.rowid;
    }
  };

  const wake = (rowid = 0): void => {
    complete = false;
    after = Math.min(after, Math.max(0, rowid - 1));
    if (running || timer || signal.aborted) return;
    running = work()
      .catch((error: unknown) => {
        if (signal.aborted) return;
        // Rounded up: a timer that rings a moment too early would be told to wait again.
        const pauseMs = Math.ceil(error instanceof NoVector ? error.laterMs : model.pauseMs() || LATER_MS) + 1;
        log.warn('memories wait for the endpoint', { error: (error as Error).message, pauseMs });
        timer = setTimeout(() => {
          timer = undefined;
          wake();
        }, pauseMs);
      })
      .finally(() => {
        running = undefined;
        // Woken after its last look.
        if (!complete && !timer) wake(after + 1);
      });
  };
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });

  return {
    wake,
    /** Whether memories of a namespace have no vector of the endpoint yet. */
    waitsIn: (namespace: string): boolean => !complete && some.get(namespace) !== undefined,
    waiting: (): number => Number(db.prepare(`SELECT count(*) AS n ${waits}`).get()!['n']),
    close: async (): Promise<void> => running,
  };
}

function bounded(rows: Waiting[]): Waiting[] {
  let characters = 0;
  const end = rows.findIndex(({ text }, i) => {
    characters += text.length;
    return i > 0 && characters > MAX_CHARACTERS;
  });
  return end < 0 ? rows : rows.slice(0, end);
}
