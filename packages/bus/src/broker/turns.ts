import { BATCH_MESSAGES, type Batch, firstLane, MESSAGE_FLAGS } from '../wire/frames.ts';
import type { Connection } from './connection.ts';
import type { Delivery } from './message.ts';

/** Messages that may wait in the broker unread: the windows of all priorities. Only a client that ignores its windows has more. */
const INBOX_LIMIT = 4096;
/** A muted sender hears of its refusals this often; in between they add up, and its windows keep it quiet. */
const MUTED_ANSWER_MS = 10;

export interface TurnWork {
  /** Decides on the messages of one frame. */
  intake(connection: Connection, frame: Batch): void;
  /** Messages that waited for room. */
  retry(): void;
  isMuted(connection: Connection, nowMono: number): boolean;
  expired(delivery: Delivery): void;
  failed(connection: Connection, error: unknown): void;
  nowMono(): number;
}

/**
 * Shares the broker's thread among its wires: in one turn of the event loop each wire is served one frame, its most urgent, then everything
 * that is to be said goes out, one frame per wire.
 */
export class Turns {
  readonly #work: TurnWork;
  readonly #unread = new Set<Connection>();
  readonly #news = new Set<Connection>();
  #turn = 0;
  #scheduled: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;

  constructor(work: TurnWork) {
    this.#work = work;
  }

  /** A frame with messages came in: decided at once where the wire has not had its share of this turn. */
  arrived(connection: Connection, frame: Batch): void {
    const count = frame[2];
    if (connection.turn !== this.#turn) {
      connection.turn = this.#turn;
      connection.takenInTurn = 0;
    }
    this.schedule();
    if (connection.inbox.size === 0 && connection.takenInTurn < BATCH_MESSAGES) {
      connection.takenInTurn += count;
      this.#take(connection, frame);
      return;
    }
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

  news(connection: Connection): void {
    this.#news.add(connection);
    this.#tellSoon();
  }

  schedule(): void {
    this.#scheduled ??= setImmediate(() => this.#run());
  }

  forget(connection: Connection): void {
    this.#unread.delete(connection);
    this.#news.delete(connection);
  }

  close(): void {
    clearImmediate(this.#scheduled);
    clearTimeout(this.#later);
    this.#unread.clear();
    this.#news.clear();
  }

  #tellSoon(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      this.#work.retry();
      const nowMono = this.#work.nowMono();
      for (const connection of [...this.#news]) this.#tell(connection, nowMono);
      if (this.#news.size > 0) this.schedule();
    });
  }

  #telling = false;

  #run(): void {
    this.#scheduled = undefined;
    this.#turn++;
    for (const connection of [...this.#unread]) {
      const frame = connection.inbox.shift();
      if (connection.inbox.size === 0) {
        this.#unread.delete(connection);
        connection.wire.resume();
      }
      if (!frame) continue;
      const count = frame[2];
      connection.inboxMessages -= count;
      connection.turn = this.#turn;
      connection.takenInTurn = count;
      this.#take(connection, frame);
    }
    this.#work.retry();
    const nowMono = this.#work.nowMono();
    for (const connection of [...this.#news]) this.#tell(connection, nowMono);
    if (this.#unread.size > 0 || this.#news.size > 0) this.schedule();
  }

  #take(connection: Connection, frame: Batch): void {
    try {
      this.#work.intake(connection, frame);
    } catch (error) {
      this.#work.failed(connection, error);
    }
    this.news(connection);
  }

  #tell(connection: Connection, nowMono: number): void {
    this.#news.delete(connection);
    if (!connection.open) return;
    if (connection.onlyRefusals && this.#work.isMuted(connection, nowMono)) {
      if (connection.refusalsDueMono > nowMono) return this.#tellLater(connection);
      connection.refusalsDueMono = nowMono + MUTED_ANSWER_MS;
    }
    const frame = connection.nextFrame(nowMono, (delivery) => this.#work.expired(delivery));
    if (frame) connection.wire.send(frame);
    if (connection.ready.size > 0) this.#news.add(connection);
  }

  #tellLater(connection: Connection): void {
    const { refusalsDueMono } = connection;
    setTimeout(() => this.news(connection), Math.max(1, refusalsDueMono - this.#work.nowMono())).unref();
  }
}
