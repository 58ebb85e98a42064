import { BATCH_MESSAGES, type Batch, firstLane, MESSAGE_FLAGS } from '../wire/frames.ts';
import type { Connection } from './connection.ts';
import type { Delivery } from './subscription.ts';

/** Messages that may wait in the broker unread: the windows of all priorities. Only a client that ignores its windows has more. */
const INBOX_LIMIT = 4096;
/** A muted sender hears of its refusals this often; in between they add up, and its windows keep it quiet. */
const MUTED_ANSWER_MS = 10;
/** The acceptance of a request travels with its answer, if that comes within this time: one frame and one wake-up less. */
const ACCEPT_WITH_ANSWER_MS = 2;

export interface TurnWork {
  /** Decides on the messages of one frame. */
  intake(connection: Connection, frame: Batch): void;
  /** Messages that waited for room. */
  retry(): void;
  isMuted(connection: Connection, nowMono: number): boolean;
  expired(delivery: Delivery): void;
  nowMono(): number;
}

/**
 * Shares the broker's thread among its wires. A frame is decided as it comes in, until its wire has had its share; from then on each turn of
 * the event loop serves one frame of each wire, its most urgent. What is to be said goes out at the end of each task, one frame per wire.
 */
export class Turns {
  readonly #work: TurnWork;
  readonly #unread = new Set<Connection>();
  readonly #news = new Set<Connection>();
  /** Connections that are told with their next news, or a little later. */
  readonly #patient = new Set<Connection>();
  readonly #mutedOnes = new Set<Connection>();
  #turn = 0;
  #telling = false;
  #next: NodeJS.Immediate | undefined;
  #patience: NodeJS.Timeout | undefined;
  #mutedTimer: NodeJS.Timeout | undefined;

  constructor(work: TurnWork) {
    this.#work = work;
  }

  /** A frame with messages came in. */
  arrived(connection: Connection, frame: Batch): void {
    const count = frame[2];
    if (connection.turn !== this.#turn) {
      connection.turn = this.#turn;
      connection.takenInTurn = 0;
    }
    if (connection.inbox.size === 0 && connection.takenInTurn < BATCH_MESSAGES) {
      connection.takenInTurn += count;
      this.#work.intake(connection, frame);
      if (connection.hasRefusals) this.news(connection);
      return;
    }
    this.#nextTurn();
    if (connection.inboxMessages + count > INBOX_LIMIT) {
      connection.wire.pause();
      connection.refuse(frame[1], frame[1] + count - 1, 'BUS_OVERLOADED', 'sent beyond the window');
      this.news(connection);
      return;
    }
    connection.inboxMessages += count;
    connection.inbox.push(firstLane(frame, MESSAGE_FLAGS), frame);
    this.#unread.add(connection);
  }

  /** There is something to say to this client, or room may have come up for messages that are held. */
  news(connection?: Connection): void {
    if (connection) this.#news.add(connection);
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => this.#tellAll());
  }

  newsWithAnswer(connection: Connection): void {
    this.#patient.add(connection);
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      for (const waiting of this.#patient) this.news(waiting);
      this.#patient.clear();
    }, ACCEPT_WITH_ANSWER_MS).unref();
  }

  forget(connection: Connection): void {
    this.#unread.delete(connection);
    this.#news.delete(connection);
    this.#patient.delete(connection);
    this.#mutedOnes.delete(connection);
  }

  close(): void {
    clearImmediate(this.#next);
    clearTimeout(this.#patience);
    clearTimeout(this.#mutedTimer);
    this.#unread.clear();
    this.#news.clear();
    this.#patient.clear();
  }

  #nextTurn(): void {
    this.#next ??= setImmediate(() => this.#run());
  }

  #run(): void {
    this.#next = undefined;
    this.#turn++;
    for (const connection of [...this.#unread]) {
      const frame = connection.inbox.shift();
      if (connection.inbox.size === 0) {
        this.#unread.delete(connection);
        connection.wire.resume();
      }
      if (!frame) continue;
      connection.inboxMessages -= frame[2];
      connection.turn = this.#turn;
      connection.takenInTurn = frame[2];
      this.#work.intake(connection, frame);
      this.news(connection);
    }
    if (this.#unread.size > 0) this.#nextTurn();
    if (this.#news.size > 0) this.news();
  }

  #tellAll(): void {
    this.#telling = false;
    this.#work.retry();
    const nowMono = this.#work.nowMono();
    for (const connection of [...this.#news]) this.#tell(connection, nowMono);
    // Whoever has more than one frame to get waits for the next turn, so that the thread looks at its wires in between.
    if (this.#news.size > 0) this.#nextTurn();
  }

  #tell(connection: Connection, nowMono: number): void {
    this.#news.delete(connection);
    if (!connection.open) return;
    if (connection.onlyRefusals && this.#work.isMuted(connection, nowMono)) {
      if (connection.refusalsDueMono > nowMono) {
        this.#tellMuted(connection);
        return;
      }
      connection.refusalsDueMono = nowMono + MUTED_ANSWER_MS;
    }
    const frame = connection.nextFrame(nowMono, (delivery) => this.#work.expired(delivery));
    if (frame) connection.wire.send(frame, connection.moves);
    if (connection.ready.size > 0) this.#news.add(connection);
  }

  #tellMuted(connection: Connection): void {
    this.#mutedOnes.add(connection);
    this.#mutedTimer ??= setTimeout(() => {
      this.#mutedTimer = undefined;
      for (const muted of this.#mutedOnes) this.news(muted);
      this.#mutedOnes.clear();
    }, MUTED_ANSWER_MS).unref();
  }
}
