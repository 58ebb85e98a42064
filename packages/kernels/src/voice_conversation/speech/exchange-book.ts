import { GraceError, type Redactor } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import type { Settings } from '../settings.ts';

export const EXCHANGE_TABLES = `
  CREATE TABLE exchanges (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, session TEXT, turn INTEGER, kind TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
    units INTEGER NOT NULL, state TEXT NOT NULL, status INTEGER, ms INTEGER, said TEXT
  );
  CREATE INDEX exchanges_of ON exchanges (session);
  CREATE TABLE spent (hour INTEGER NOT NULL, kind TEXT NOT NULL, requests INTEGER NOT NULL, units INTEGER NOT NULL, PRIMARY KEY (hour, kind)) WITHOUT ROWID;
`;

export type ExchangeKind = 'stt' | 'tts';

/** What was asked of a provider and what it said. */
export interface Exchange {
  id: number;
  atMs: number;
  session: string | null;
  turn: number | null;
  kind: ExchangeKind;
  /** Host and path. */
  provider: string;
  model: string;
  /** ms of audio to be transcribed, or characters to be spoken. */
  units: number;
  /** `asked`: no answer yet, or the kernel died before it came; `ok`; else a code. */
  state: string;
  status: number | null;
  ms: number | null;
  /** The words it heard, or what was wrong; secrets are left out. */
  said: string | null;
}

const HOUR_MS = 3_600_000;
const KEPT = 2000;
const SAID_MAX = 4000;

/** Every request to a provider stands here before it is sent, and counts against the budget of its hour, whatever becomes of it. */
export class ExchangeBook {
  readonly #store: KernelStore;
  readonly #nowMs: () => number;
  readonly #budget: Settings['budget'];
  readonly #redactor: Redactor;

  constructor(store: KernelStore, nowMs: () => number, budget: Settings['budget'], redactor: Redactor) {
    this.#store = store;
    this.#nowMs = nowMs;
    this.#budget = budget;
    this.#redactor = redactor;
  }

  /** @throws GraceError `VOICE_BUDGET` when the hour has no room for it; nothing is sent then */
  begin(asked: Pick<Exchange, 'session' | 'turn' | 'kind' | 'provider' | 'model' | 'units'>): number {
    const nowMs = this.#nowMs();
    const hour = Math.floor(nowMs / HOUR_MS);
    return this.#store.transaction(() => {
      this.#spend(hour, asked.kind, asked.units);
      const { lastInsertRowid } = this.#store.db
        .prepare(
          "INSERT INTO exchanges (at_ms, session, turn, kind, provider, model, units, state) VALUES (?, ?, ?, ?, ?, ?, ?, 'asked')",
        )
        .run(nowMs, asked.session, asked.turn, asked.kind, asked.provider, asked.model, asked.units);
      this.#store.db.prepare('DELETE FROM exchanges WHERE id <= ?').run(Number(lastInsertRowid) - KEPT);
      this.#store.db.prepare('DELETE FROM spent WHERE hour < ?').run(hour - 24);
      return Number(lastInsertRowid);
    });
  }

  end(id: number, end: { state: string; status: number | null; ms: number; said: string }): void {
    const said = this.#redactor.text(end.said).slice(0, SAID_MAX).toWellFormed();
    this.#store.db
      .prepare('UPDATE exchanges SET state = ?, status = ?, ms = ?, said = ? WHERE id = ?')
      .run(end.state, end.status, Math.round(end.ms), said, id);
  }

  /** Newest first. */
  list(session: string, limit: number): Exchange[] {
    return this.#store.db
      .prepare(
        'SELECT id, at_ms AS atMs, session, turn, kind, provider, model, units, state, status, ms, said FROM exchanges WHERE session = ? ORDER BY id DESC LIMIT ?',
      )
      .all(session, limit) as unknown as Exchange[];
  }

  spent(): Record<string, { requests: number; units: number }> {
    const hour = Math.floor(this.#nowMs() / HOUR_MS);
    const rows = this.#store.db.prepare('SELECT kind, requests, units FROM spent WHERE hour = ?').all(hour);
    return Object.fromEntries(
      rows.map((row) => [String(row['kind']), { requests: Number(row['requests']), units: Number(row['units']) }]),
    );
  }

  #spend(hour: number, kind: ExchangeKind, units: number): void {
    const { requestsPerHour, audioMsPerHour, charactersPerHour } = this.#budget;
    const { requests = 0, units: used = 0 } = this.spent()[kind] ?? {};
    const most = kind === 'stt' ? audioMsPerHour : charactersPerHour;
    if (requests + 1 > requestsPerHour || used + units > most) {
      throw new GraceError(
        'VOICE_BUDGET',
        `the budget of this hour for ${kind} is used up: ${requests} requests of ${requestsPerHour}, ${used} + ${units} ${kind === 'stt' ? 'ms' : 'characters'} of ${most}`,
        { kind },
      );
    }
    this.#store.db
      .prepare(
        'INSERT INTO spent (hour, kind, requests, units) VALUES (?, ?, 1, ?) ON CONFLICT (hour, kind) DO UPDATE SET requests = requests + 1, units = units + excluded.units',
      )
      .run(hour, kind, units);
  }
}
