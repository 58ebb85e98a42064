import type { Clock, ErrorCode } from '@grace/contracts';
import type { Durable } from '../durable/durable.ts';
import { isControlSubject } from '../subject/subject.ts';
import {
  BATCH_HEAD,
  type Batch,
  type Extra,
  FORM_BITS,
  LANE_BITS,
  MESSAGE_FIELDS,
  MESSAGE_FLAGS,
  REQUEST_BIT,
  SEEN_BIT,
} from '../wire/frames.ts';
import { detach, sizeOf } from '../wire/payload.ts';
import type { Accounts } from './accounts.ts';
import type { Connection } from './connection.ts';
import type { Door } from './door.ts';
import type { RoutedMessage } from './message.ts';
import type { Permits } from './permits.ts';
import type { Router } from './router.ts';
import type { Routes } from './routes.ts';

/** Longest id, correlation and causation, characters. */
const MAX_ID_LENGTH = 256;
/** Requests of one client that may be unanswered at once. */
const ASKING_LIMIT = 8192;
/** No request is kept longer than this, whatever its deadline says. */
const MAX_DEADLINE_MS = 600_000;

/** Decides message by message who may pass: muted, well formed, allowed, not too large, not too fast, not here already. In that order. */
export class Intake {
  readonly #door: Door;
  readonly #permits: Permits;
  readonly #accounts: Accounts;
  readonly #routes: Routes;
  readonly #router: Router;
  readonly #clock: Clock;
  readonly #maxPayloadBytes: number;
  /** Keeps messages on durable subjects, where there is such a part. */
  readonly #durable: Durable | undefined;

  constructor(
    parts: { door: Door; permits: Permits; accounts: Accounts; routes: Routes; router: Router; clock: Clock },
    maxPayloadBytes: number,
    durable: Durable | undefined,
  ) {
    this.#door = parts.door;
    this.#permits = parts.permits;
    this.#accounts = parts.accounts;
    this.#routes = parts.routes;
    this.#router = parts.router;
    this.#clock = parts.clock;
    this.#maxPayloadBytes = maxPayloadBytes;
    this.#durable = durable;
  }

  take(connection: Connection, frame: Batch): void {
    const nowMono = this.#clock.monoMs();
    const [, first, count] = frame;
    const { principal } = connection;
    let before: unknown;
    let refusal: ErrorCode | undefined;
    for (let i = 0; i < count; i++) {
      if (this.#door.isMuted(principal, nowMono)) {
        this.#refuseMuted(connection, frame, i, before, nowMono);
        return;
      }
      const at = BATCH_HEAD + i * MESSAGE_FIELDS;
      if (frame[at] === null) frame[at] = before;
      const subject = frame[at];
      if (subject !== before || refusal !== undefined) refusal = this.#refusalBySubject(connection, subject, nowMono);
      before = subject;
      if (refusal === undefined) this.#admit(connection, first + i, frame, at, nowMono);
      else
        connection.refuse(
          first + i,
          first + i,
          refusal,
          refusal === 'BUS_DENIED' ? `${principal.name} may not publish it` : null,
        );
    }
  }

  #refusalBySubject(connection: Connection, subject: unknown, nowMono: number): ErrorCode | undefined {
    const { access, principal } = connection;
    if (typeof subject !== 'string') return 'BUS_BAD_SUBJECT';
    const verdict = access.publish(subject);
    if (verdict === 'allowed') return undefined;
    if (verdict === 'malformed') return 'BUS_BAD_SUBJECT';
    if (verdict === 'no rule' && this.#permits.mayPublish(principal.name, subject)) return undefined;
    this.#accounts.of(subject).denied++;
    this.#door.denied(principal, subject, 1, nowMono);
    return 'BUS_DENIED';
  }

  /** Everything from here on in the frame, without a look at rules. */
  #refuseMuted(connection: Connection, frame: Batch, from: number, before: unknown, nowMono: number): void {
    const [, first, count] = frame;
    let subject = before;
    let account = this.#accounts.of(String(subject));
    for (let i = from; i < count; i++) {
      const next = frame[BATCH_HEAD + i * MESSAGE_FIELDS];
      if (next !== null && next !== subject) {
        subject = next;
        account = this.#accounts.of(String(subject));
      }
      account.denied++;
    }
    this.#door.denied(connection.principal, '', count - from, nowMono);
    connection.refuse(first + from, first + count - 1, 'BUS_MUTED', 'muted after denied messages');
  }

  #admit(connection: Connection, number: number, frame: Batch, at: number, nowMono: number): void {
    const refuse = (code: ErrorCode, words: string): void => connection.refuse(number, number, code, words);
    const { principal } = connection;
    const subject = frame[at] as string;
    let flags = frame[at + MESSAGE_FLAGS] as number;
    const id = frame[at + 2];
    const acceptByMono = frame[at + 3] as number;
    const payload = frame[at + 5];
    const bytes = sizeOf(payload);
    if (typeof id !== 'string' || id.length > MAX_ID_LENGTH) {
      refuse('BAD_INPUT', `the id is longer than ${MAX_ID_LENGTH} characters`);
      return;
    }
    if (bytes > this.#maxPayloadBytes) {
      refuse('BUS_TOO_LARGE', `the payload has ${bytes} bytes, the bus carries ${this.#maxPayloadBytes}`);
      return;
    }
    if ((flags & SEEN_BIT) !== 0 && principal.recent.has(id)) {
      // The answer to a request that was taken already went to the wire on which it came.
      if ((flags & REQUEST_BIT) !== 0) refuse('BUS_CLOSED', 'the wire broke while the request was being answered');
      else this.#router.acceptAgain(connection, number);
      return;
    }
    if (acceptByMono <= nowMono) {
      refuse('BUS_DEADLINE', 'the deadline passed on the way');
      return;
    }
    if (!principal.bucket.take(nowMono)) {
      refuse(
        'BUS_OVERLOADED',
        `more than the ${principal.bucket.perSecond} messages a second this principal may publish`,
      );
      return;
    }
    if (isControlSubject(subject)) flags &= ~LANE_BITS;
    const isRequest = (flags & REQUEST_BIT) !== 0;
    if (isRequest && connection.asking >= ASKING_LIMIT) {
      refuse('BUS_OVERLOADED', 'too many requests of this client are unanswered');
      return;
    }
    const extra = frame[at + 4] as Extra;
    const key = extra?.[3] ?? null;
    const lifetimeMs = extra?.[4] ?? null;
    if (extra !== null && (!isKey(key) || !isLifetime(lifetimeMs))) {
      refuse('BAD_INPUT', `expected a key of up to ${MAX_ID_LENGTH} characters and a lifetime in milliseconds`);
      return;
    }
    const deadlineMono = Math.min(acceptByMono, nowMono + MAX_DEADLINE_MS);
    const route = this.#routes.of(subject);
    const isKept = route.kept !== null && !isRequest;
    const message: RoutedMessage = {
      subject,
      flags: flags & (LANE_BITS | REQUEST_BIT | FORM_BITS),
      sole: false,
      id,
      from: principal.name,
      at: 0,
      deadlineMono,
      // What is kept is looked at by its wall time when it is given.
      expiresMono: isRequest
        ? deadlineMono
        : isKept || lifetimeMs === null
          ? Number.POSITIVE_INFINITY
          : nowMono + lifetimeMs,
      expiresMs: lifetimeMs === null ? 0 : this.#clock.wallMs() + lifetimeMs,
      key,
      takenMono: nowMono,
      latency: principal.latency,
      extra,
      payload: detach(payload),
      bytes,
      account: route.account,
      ask: isRequest ? { asker: connection, number, deadlineMono, open: 0, done: false } : null,
    };
    if (!isKept) this.#router.offer(connection, number, message, acceptByMono);
    else this.#durable!.offer(connection, number, message, acceptByMono, (flags & SEEN_BIT) !== 0);
  }
}

const isKey = (key: unknown): boolean => key === null || (typeof key === 'string' && key.length <= MAX_ID_LENGTH);
const isLifetime = (ms: unknown): boolean => ms === null || (typeof ms === 'number' && ms >= 0 && Number.isFinite(ms));
