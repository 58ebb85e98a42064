import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import type { Role, VerbAccess } from './role.ts';

export const TOKEN_TABLE = `CREATE TABLE tokens (
  id TEXT PRIMARY KEY, principal TEXT NOT NULL, role TEXT NOT NULL, hash BLOB NOT NULL, verbs TEXT,
  created_ms INTEGER NOT NULL, created_by TEXT NOT NULL, expires_ms INTEGER, used_ms INTEGER
) WITHOUT ROWID`;

/** Who sends a request. */
export interface Caller extends VerbAccess {
  /** Of the token. */
  id: string;
  principal: string;
}

/** A token without what would let somebody use it. Times are wall ms. */
export interface Token extends Caller {
  createdMs: number;
  createdBy: string;
  expiresMs: number | null;
  /** Told to within a minute; null: never. */
  usedMs: number | null;
}

interface Kept extends Token {
  hash: Buffer;
}

const SECRET_BYTES = 32;
const USE_TOLD_MS = 60_000;
/** `grace_<id>_<secret>`: 8 hexadecimal digits, and 256 bits in base64url. */
const FORM = /^grace_([0-9a-f]{8})_([A-Za-z0-9_-]{43})$/;
const PROBE = 'probe';

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();

/** Tokens by id. On disk stands the hash of each; the token itself is known to whoever it was shown to. */
export class TokenBook {
  readonly #store: KernelStore;
  readonly #nowMs: () => number;
  readonly #max: number;
  readonly #tokens = new Map<string, Kept>();
  /** Compared with when the id is unknown, so that an unknown id takes as long as a known one. */
  readonly #nobody = randomBytes(32);
  /** Of this incarnation's functional probe: never on disk, valid nowhere else. */
  readonly probeToken = `grace_00000000_${randomBytes(SECRET_BYTES).toString('base64url')}`;
  readonly #probeHash = hashOf(this.probeToken);

  constructor(store: KernelStore, nowMs: () => number, max: number) {
    this.#store = store;
    this.#nowMs = nowMs;
    this.#max = max;
    for (const row of store.db.prepare('SELECT * FROM tokens').all()) {
      const kept = fromRow(row);
      this.#tokens.set(kept.id, kept);
    }
  }

  get count(): number {
    return this.#tokens.size;
  }

  /**
   * A new token; `token` is told here and never again.
   * @throws GraceError `CONFLICT` when there are too many, `STORAGE_FULL`, `STORAGE_FAILED`
   */
  add(wish: {
    principal: string;
    role: Role;
    verbs: readonly string[] | null;
    expiresMs: number | null;
    by: string;
  }): Token & { token: string } {
    this.#dropExpired();
    if (this.#tokens.size >= this.#max)
      throw new GraceError('CONFLICT', `there are ${this.#max} tokens already; revoke those that are not used`);
    let id: string;
    do id = randomBytes(4).toString('hex');
    while (this.#tokens.has(id) || id === '00000000');
    const token = `grace_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
    const { by, ...rest } = wish;
    const kept: Kept = { ...rest, id, hash: hashOf(token), createdMs: this.#nowMs(), createdBy: by, usedMs: null };
    this.#store.transaction(() =>
      this.#store.db
        .prepare(
          'INSERT INTO tokens (id, principal, role, hash, verbs, created_ms, created_by, expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        )
        .run(
          id,
          kept.principal,
          kept.role,
          kept.hash,
          kept.verbs === null ? null : JSON.stringify(kept.verbs),
          kept.createdMs,
          kept.createdBy,
          kept.expiresMs,
        ),
    );
    this.#tokens.set(id, kept);
    return { ...shown(kept), token };
  }

  /** @throws GraceError `NOT_FOUND` */
  revoke(id: string): Token {
    const kept = this.#tokens.get(id);
    if (!kept) throw new GraceError('NOT_FOUND', `there is no token "${id}"`);
    this.#store.transaction(() => this.#store.db.prepare('DELETE FROM tokens WHERE id = ?').run(id));
    this.#tokens.delete(id);
    return shown(kept);
  }

  /** Oldest first. */
  list(): Token[] {
    return [...this.#tokens.values()].map(shown).sort((a, b) => a.createdMs - b.createdMs);
  }

  /** Whose token this is; null when it is nobody's, or has expired. */
  find(bearer: string): Caller | null {
    const id = FORM.exec(bearer)?.[1];
    const hash = hashOf(bearer);
    if (timingSafeEqual(hash, this.#probeHash)) return { id: PROBE, principal: PROBE, role: 'viewer', verbs: [] };
    const kept = id === undefined ? undefined : this.#tokens.get(id);
    const isSame = timingSafeEqual(hash, kept?.hash ?? this.#nobody);
    if (!kept || !isSame || this.#isOver(kept)) return null;
    this.#used(kept);
    const { principal, role, verbs } = kept;
    return { id: kept.id, principal, role, verbs };
  }

  /** Whether the token of an open stream still counts. */
  isValid(id: string): boolean {
    const kept = this.#tokens.get(id);
    return kept !== undefined && !this.#isOver(kept);
  }

  isProbe({ id }: Caller): boolean {
    return id === PROBE;
  }

  #isOver({ expiresMs }: Kept): boolean {
    return expiresMs !== null && expiresMs <= this.#nowMs();
  }

  #dropExpired(): void {
    for (const kept of this.#tokens.values()) if (this.#isOver(kept)) this.revoke(kept.id);
  }

  /** A full disk must not keep anybody out: when a token was used last is only told. */
  #used(kept: Kept): void {
    const nowMs = this.#nowMs();
    if (kept.usedMs !== null && Math.abs(nowMs - kept.usedMs) < USE_TOLD_MS) return;
    kept.usedMs = nowMs;
    try {
      this.#store.db.prepare('UPDATE tokens SET used_ms = ? WHERE id = ?').run(nowMs, kept.id);
    } catch {
      return;
    }
  }
}

function shown({ hash: _, ...token }: Kept): Token {
  return token;
}

function fromRow(row: Record<string, unknown>): Kept {
  return {
    id: row['id'] as string,
    principal: row['principal'] as string,
    role: row['role'] as Role,
    hash: Buffer.from(row['hash'] as Uint8Array),
    verbs: row['verbs'] === null ? null : (JSON.parse(row['verbs'] as string) as string[]),
    createdMs: row['created_ms'] as number,
    createdBy: row['created_by'] as string,
    expiresMs: row['expires_ms'] as number | null,
    usedMs: row['used_ms'] as number | null,
  };
}
