import type { AnyRecord } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import type { Happening } from './happening.ts';

/** What happened, kept for explaining it later: bounded, the oldest goes first. */
export interface Archive {
  /** Waits for the next `flush`; what is over the bound of waiting is flushed at once. */
  keep(happening: Happening): void;
  /** Writes what waits, in one transaction. */
  flush(): void;
  at(seqs: readonly number[]): Map<number, Happening>;
  ofIncident(id: string): Happening[];
  ofRuns(runs: readonly string[]): Happening[];
  ofCorrelation(correlation: string): Happening[];
  /** Of one kernel, cell or principal, with sequence numbers from `from` to `to`; the newest when there are more. */
  about(subject: string, from: number, to: number): Happening[];
  /** The newest first. */
  range(query: { fromMs: number; toMs: number; about?: string; correlation?: string; limit: number }): Happening[];
  /** Ids of the incidents known, the newest first. */
  incidents(limit: number): string[];
  count(): number;
}

export const ARCHIVE_TABLES = `
  CREATE TABLE happening (
    seq INTEGER PRIMARY KEY, at_ms REAL NOT NULL, name TEXT NOT NULL, about TEXT, correlation TEXT, incident TEXT, run TEXT, body TEXT NOT NULL
  );
  CREATE INDEX happening_at ON happening (at_ms);
  CREATE INDEX happening_about ON happening (about, seq) WHERE about IS NOT NULL;
  CREATE INDEX happening_correlation ON happening (correlation, seq) WHERE correlation IS NOT NULL;
  CREATE INDEX happening_incident ON happening (incident, seq) WHERE incident IS NOT NULL;
  CREATE INDEX happening_run ON happening (run, seq) WHERE run IS NOT NULL;
`;

/** Happenings that wait to be written; a crash loses at most these, and the journal has them. */
const WAITING_MAX = 256;
/** Held while the disk takes nothing. */
const HELD_MAX = 2048;
/** Of one story. */
const STORY_MAX = 2000;

interface Row {
  seq: number;
  at_ms: number;
  name: Happening['name'];
  about: string | null;
  correlation: string | null;
  incident: string | null;
  run: string | null;
  body: string;
}

/** @param onNew called within the transaction for each that was not kept before: one that comes twice counts once */
export function createArchive(store: KernelStore, keptMax: number, onNew: (happening: Happening) => void): Archive {
  const { db } = store;
  // The same number at another time is another record: the journal of a home was begun anew.
  const put = db.prepare(`
    INSERT INTO happening (seq, at_ms, name, about, correlation, incident, run, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (seq) DO UPDATE SET at_ms = excluded.at_ms, name = excluded.name, about = excluded.about,
      correlation = excluded.correlation, incident = excluded.incident, run = excluded.run, body = excluded.body
    WHERE excluded.at_ms <> happening.at_ms`);
  const countAll = db.prepare('SELECT count(*) AS n FROM happening');
  const prune = db.prepare(
    'DELETE FROM happening WHERE seq IN (SELECT seq FROM happening ORDER BY at_ms, seq LIMIT ?)',
  );
  const one = db.prepare('SELECT * FROM happening WHERE seq = ?');
  const byIncident = db.prepare('SELECT * FROM happening WHERE incident = ? ORDER BY seq LIMIT ?');
  const byRun = db.prepare('SELECT * FROM happening WHERE run = ? ORDER BY seq LIMIT ?');
  const byCorrelation = db.prepare('SELECT * FROM happening WHERE correlation = ? ORDER BY seq LIMIT ?');
  const byAbout = db.prepare(
    'SELECT * FROM happening WHERE about = ? AND seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT ?',
  );
  const within = db.prepare(`
    SELECT * FROM happening WHERE at_ms BETWEEN ? AND ? AND (?3 IS NULL OR about = ?3) AND (?4 IS NULL OR correlation = ?4)
    ORDER BY at_ms DESC, seq DESC LIMIT ?5`);
  const opened = db.prepare("SELECT incident FROM happening WHERE name = 'incident:open' ORDER BY seq DESC LIMIT ?");
  const waiting: Happening[] = [];
  let kept = (countAll.get() as { n: number }).n;

  const flush = (): void => {
    if (waiting.length === 0) return;
    const batch = waiting.splice(0);
    try {
      store.transaction(() => {
        for (const happening of batch) {
          const { seq, atMs, name, about, correlation, incident, run, record } = happening;
          const { changes } = put.run(seq, atMs, name, about, correlation, incident, run, JSON.stringify(record));
          if (changes > 0) onNew(happening);
        }
        const over = (countAll.get() as { n: number }).n - keptMax;
        if (over > 0) prune.run(over);
      });
    } catch (error) {
      // Tried again with the next flush, as far as there is room for what waits.
      waiting.unshift(...batch.slice(-HELD_MAX));
      throw error;
    }
    kept = (countAll.get() as { n: number }).n;
  };
  const read = (rows: unknown): Happening[] => {
    return (rows as Row[]).map(({ at_ms: atMs, body, ...rest }) => ({
      ...rest,
      atMs,
      record: JSON.parse(body) as AnyRecord,
    }));
  };

  return {
    keep(happening) {
      waiting.push(happening);
      if (waiting.length > HELD_MAX) waiting.shift();
      if (waiting.length === WAITING_MAX) flush();
    },
    flush,
    at(seqs) {
      flush();
      const found = new Map<number, Happening>();
      for (const seq of seqs) for (const happening of read(one.all(seq))) found.set(seq, happening);
      return found;
    },
    ofIncident(id) {
      flush();
      return read(byIncident.all(id, STORY_MAX));
    },
    ofRuns: (runs) => runs.flatMap((run) => read(byRun.all(run, STORY_MAX))),
    ofCorrelation(correlation) {
      flush();
      return read(byCorrelation.all(correlation, STORY_MAX));
    },
    about: (subject, from, to) => read(byAbout.all(subject, from, to, STORY_MAX)).reverse(),
    range({ fromMs, toMs, about, correlation, limit }) {
      flush();
      return read(within.all(fromMs, toMs, about ?? null, correlation ?? null, limit));
    },
    incidents: (limit) => (opened.all(limit) as { incident: string }[]).map(({ incident }) => incident),
    count: () => kept + waiting.length,
  };
}
