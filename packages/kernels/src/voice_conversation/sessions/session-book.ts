import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { didYouMean, GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import type { Session } from './turn.ts';

const SECRET_BYTES = 32;
const ID = /^vs-[0-9a-f]{12}$/;
/** `<session>.<secret>`: 256 bits in base64url; fit for a WebSocket subprotocol. */
const TOKEN = /^(vs-[0-9a-f]{12})\.([A-Za-z0-9_-]{43})$/;
const COLUMNS =
  'id, owner, mode, language, socket, opened_ms AS openedMs, used_ms AS usedMs, closed_ms AS closedMs, closed_why AS closedWhy, audio_ms AS audioMs';

export const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();

/** Sessions on disk. Of a token there is only its hash; it counts until its session is closed, by hand or for being idle. */
export class SessionBook {
  readonly #store: KernelStore;
  readonly #nowMs: () => number;
  readonly #max: number;
  /** Compared with when there is no such session, so that an unknown one takes as long as a known one. */
  readonly #nobody = randomBytes(32);

  constructor(store: KernelStore, nowMs: () => number, max: number) {
    this.#store = store;
    this.#nowMs = nowMs;
    this.#max = max;
  }

  get openCount(): number {
    return Number(this.#store.db.prepare('SELECT count(*) AS n FROM sessions WHERE closed_ms IS NULL').get()!['n']);
  }

  /** Open ones that a client may come back for. */
  get withSocket(): number {
    const query = 'SELECT count(*) AS n FROM sessions WHERE closed_ms IS NULL AND socket = 1';
    return Number(this.#store.db.prepare(query).get()!['n']);
  }

  /** @throws GraceError `VOICE_FULL` when as many are open as may be */
  open(wish: Pick<Session, 'owner' | 'mode' | 'language' | 'socket'>): { session: Session; token: string } {
    return this.#store.transaction(() => this.insert(wish));
  }

  /** As `open`, in a transaction of the caller. */
  insert(wish: Pick<Session, 'owner' | 'mode' | 'language' | 'socket'>): { session: Session; token: string } {
    if (this.openCount >= this.#max)
      throw new GraceError('VOICE_FULL', `${this.#max} sessions are open already; close one`, { max: this.#max });
    const id = `vs-${randomBytes(6).toString('hex')}`;
    const token = `${id}.${randomBytes(SECRET_BYTES).toString('base64url')}`;
    const nowMs = this.#nowMs();
    this.#store.db
      .prepare(
        'INSERT INTO sessions (id, owner, mode, language, socket, token_hash, opened_ms, used_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      )
      .run(id, wish.owner, wish.mode, wish.language, wish.socket, hashOf(token), nowMs, nowMs);
    return { session: this.get(id), token };
  }

  /** @throws GraceError `NOT_FOUND` with the nearest open one */
  get(id: string): Session {
    const found = ID.test(id) ? this.#find(id) : undefined;
    if (found) return found;
    throw new GraceError('NOT_FOUND', `there is no session "${id.slice(0, 60)}"${didYouMean(id, this.#openIds())}`);
  }

  /** @throws GraceError `NOT_FOUND`; `CONFLICT` for one that is closed */
  getOpen(id: string): Session {
    const session = this.get(id);
    if (session.closedMs !== null)
      throw new GraceError('CONFLICT', `the session ${id} is closed: ${session.closedWhy}`, { session: id });
    return session;
  }

  /** An open session; null: there is none of this id. */
  find(id: string): Session | null {
    const found = this.#find(id);
    return found?.closedMs === null ? found : null;
  }

  /** The open session that this token is for; null: none. */
  byToken(token: string): Session | null {
    const id = TOKEN.exec(token)?.[1];
    const row =
      id === undefined
        ? undefined
        : this.#store.db
            .prepare('SELECT token_hash AS hash FROM sessions WHERE id = ? AND closed_ms IS NULL AND socket = 1')
            .get(id);
    const isSame = timingSafeEqual(hashOf(token), (row?.['hash'] as Uint8Array | undefined) ?? this.#nobody);
    return row && isSame ? this.#find(id!)! : null;
  }

  used(id: string): void {
    this.#store.db.prepare('UPDATE sessions SET used_ms = ? WHERE id = ?').run(this.#nowMs(), id);
  }

  heard(id: string, audioMs: number): void {
    this.#store.db
      .prepare('UPDATE sessions SET audio_ms = ?, used_ms = ? WHERE id = ?')
      .run(audioMs, this.#nowMs(), id);
  }

  /** False: it was closed before. */
  close(id: string, why: string): boolean {
    const { changes } = this.#store.db
      .prepare('UPDATE sessions SET closed_ms = ?, closed_why = ? WHERE id = ? AND closed_ms IS NULL')
      .run(this.#nowMs(), why, id);
    return changes > 0;
  }

  /** Open sessions that nobody used since then. */
  idleSince(ms: number): string[] {
    return this.#ids('SELECT id FROM sessions WHERE closed_ms IS NULL AND used_ms < ?', ms);
  }

  /** Forgets closed sessions with their turns: all but the newest. */
  prune(keep: number): number {
    const old = this.#ids(
      'SELECT id FROM sessions WHERE closed_ms IS NOT NULL ORDER BY closed_ms DESC LIMIT -1 OFFSET ?',
      keep,
    );
    for (const id of old) {
      this.#store.transaction(() => {
        this.#store.db.prepare('DELETE FROM turns WHERE session = ?').run(id);
        this.#store.db.prepare('DELETE FROM sessions WHERE id = ?').run(id);
      });
    }
    return old.length;
  }

  #openIds(): string[] {
    return this.#ids('SELECT id FROM sessions WHERE closed_ms IS NULL LIMIT ?', 100);
  }

  #ids(query: string, value: number): string[] {
    return this.#store.db
      .prepare(query)
      .all(value)
      .map((row) => String(row['id']));
  }

  #find(id: string): Session | undefined {
    return this.#store.db.prepare(`SELECT ${COLUMNS} FROM sessions WHERE id = ?`).get(id) as unknown as
      | Session
      | undefined;
  }
}
