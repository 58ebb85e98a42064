import { GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import type { CallMade } from '../intents/live.ts';
import type { Turn, TurnState } from './turn.ts';

const COLUMNS = `session, turn, key, kind, state, at_ms AS atMs, start_ms AS startMs, end_ms AS endMs, cut, audio_sha256 AS audioSha256,
  text, intent, answer, suggestion, calls, ms, error`;

export interface TypedTurn {
  kind: 'typed';
  key: string | null;
  text: string;
}

export interface SpokenTurn {
  kind: 'spoken';
  startMs: number;
  endMs: number;
  cut: string;
  audioSha256: string;
  /** 16 kHz samples as WAV, kept until the turn has ended; null: nobody will transcribe it. */
  audio: Uint8Array | null;
}

export interface TurnEnd {
  state: Exclude<TurnState, 'accepted'>;
  text?: string | null;
  intent?: string | null;
  answer: string;
  suggestion?: string | null;
  calls?: readonly CallMade[];
  error?: string | null;
}

/** The turns of all sessions on disk. One that was accepted is there until it has ended, whoever dies. */
export class TurnBook {
  readonly #store: KernelStore;
  readonly #nowMs: () => number;
  readonly #max: number;

  /** @param max turns of one session */
  constructor(store: KernelStore, nowMs: () => number, max: number) {
    this.#store = store;
    this.#nowMs = nowMs;
    this.#max = max;
  }

  /**
   * On disk when it returns. The same key again is the same turn; `repeated` says so.
   * @throws GraceError `VOICE_FULL` when the session has as many as it may; `CONFLICT` when the key stands for another text
   */
  accept(session: string, given: TypedTurn | SpokenTurn): { turn: Turn; repeated: boolean } {
    return this.#store.transaction(() => this.insert(session, given));
  }

  /** As `accept`, in a transaction of the caller. */
  insert(session: string, given: TypedTurn | SpokenTurn): { turn: Turn; repeated: boolean } {
    const key = given.kind === 'typed' ? given.key : null;
    const known = key === null ? undefined : this.#one('session = ? AND key = ?', session, key);
    if (known) {
      if (given.kind === 'typed' && known.text !== given.text)
        throw new GraceError('CONFLICT', `the turn "${key}" of this session has another text`, { key });
      return { turn: known, repeated: true };
    }
    const last = this.last(session);
    if (last >= this.#max)
      throw new GraceError('VOICE_FULL', `the session has ${this.#max} turns; open another`, { max: this.#max });
    const nowMs = this.#nowMs();
    const values =
      given.kind === 'typed'
        ? [session, last + 1, key, 'typed', 'accepted', nowMs, null, null, null, null, null, given.text]
        : [
            session,
            last + 1,
            null,
            'spoken',
            'accepted',
            nowMs,
            given.startMs,
            given.endMs,
            given.cut,
            given.audioSha256,
            given.audio,
            null,
          ];
    this.#store.db
      .prepare(
        'INSERT INTO turns (session, turn, key, kind, state, at_ms, start_ms, end_ms, cut, audio_sha256, audio, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      )
      .run(...values);
    return { turn: this.get(session, last + 1), repeated: false };
  }

  end(session: string, turn: number, end: TurnEnd): Turn {
    const { state, text = null, intent = null, answer, suggestion = null, calls = [], error = null } = end;
    this.#store.db
      .prepare(
        `UPDATE turns SET state = ?, text = coalesce(?, text), intent = ?, answer = ?, suggestion = ?, calls = ?, error = ?,
         ms = max(0, ? - at_ms), audio = NULL WHERE session = ? AND turn = ? AND state = 'accepted'`,
      )
      .run(state, text, intent, answer, suggestion, JSON.stringify(calls), error, this.#nowMs(), session, turn);
    return this.get(session, turn);
  }

  get(session: string, turn: number): Turn {
    const found = this.#one('session = ? AND turn = ?', session, turn);
    if (!found) throw new GraceError('NOT_FOUND', `the session ${session} has no turn ${turn}`);
    return found;
  }

  /** Number of the last turn; 0: none. */
  last(session: string): number {
    return Number(
      this.#store.db.prepare('SELECT coalesce(max(turn), 0) AS n FROM turns WHERE session = ?').get(session)!['n'],
    );
  }

  /** The last that ended before this one. */
  before(session: string, turn: number): Turn | null {
    return (
      this.#one("session = ? AND turn < ? AND state != 'accepted' ORDER BY turn DESC LIMIT 1", session, turn) ?? null
    );
  }

  list(session: string, from: number, limit: number): Turn[] {
    return this.#all('session = ? AND turn >= ? ORDER BY turn LIMIT ?', session, from, limit);
  }

  /** Accepted and not ended, in order: what a life before has promised. */
  unfinished(): Turn[] {
    return this.#all("state = 'accepted' ORDER BY session, turn");
  }

  audio(session: string, turn: number): Uint8Array | null {
    const row = this.#store.db.prepare('SELECT audio FROM turns WHERE session = ? AND turn = ?').get(session, turn);
    return (row?.['audio'] as Uint8Array | null | undefined) ?? null;
  }

  counts(): Record<string, number> {
    const rows = this.#store.db.prepare('SELECT state, count(*) AS n FROM turns GROUP BY state').all();
    return Object.fromEntries(rows.map((row) => [String(row['state']), Number(row['n'])]));
  }

  #one(where: string, ...values: (string | number)[]): Turn | undefined {
    return this.#all(where, ...values)[0];
  }

  #all(where: string, ...values: (string | number)[]): Turn[] {
    const rows = this.#store.db.prepare(`SELECT ${COLUMNS} FROM turns WHERE ${where}`).all(...values);
    return rows.map((row) => ({
      ...(row as unknown as Turn),
      calls: JSON.parse((row['calls'] as string | null) ?? '[]') as CallMade[],
    }));
  }
}
