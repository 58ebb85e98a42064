import { connectSocket } from '@grace/control/connect';
import type { BrokerFrame, ClientFrame } from '../wire/frames.ts';
import { SocketWire } from '../wire/socket-wire.ts';
import type { Session } from './session.ts';

const FIRST_DELAY_MS = 20;
const MAX_DELAY_MS = 500;
const CONNECT_DEADLINE_MS = 2000;

/** Dials the broker's socket, and again with growing, jittered delays whenever there is nobody or the wire breaks. */
export class Dialer {
  readonly #path: string;
  readonly #token: string;
  readonly #session: Session;
  #delayMs = FIRST_DELAY_MS;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(path: string, token: string, session: Session) {
    this.#path = path;
    this.#token = token;
    this.#session = session;
  }

  start(): void {
    void connectSocket(this.#path, CONNECT_DEADLINE_MS).then(
      (socket) => {
        if (this.#stopped) return socket.destroy();
        this.#session.connect(
          new SocketWire<BrokerFrame, ClientFrame>(socket),
          this.#token,
          ({ welcomed, refused }) => {
            if (welcomed) this.#delayMs = FIRST_DELAY_MS;
            // A token that was refused is refused again; whoever gave it must give another.
            if (!refused) this.#again();
          },
        );
      },
      () => this.#again(),
    );
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #again(): void {
    if (this.#stopped) return;
    const delayMs = this.#delayMs * (0.5 + Math.random() / 2);
    this.#delayMs = Math.min(MAX_DELAY_MS, this.#delayMs * 2);
    this.#timer = setTimeout(() => this.start(), delayMs);
  }
}
