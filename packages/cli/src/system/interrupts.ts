/** The user's wish to end, from the keyboard, a service manager or a closing terminal. */
export interface Interrupts {
  readonly count: number;
  /** Resolves at the first one. */
  readonly first: Promise<NodeJS.Signals>;
  /** Calls the handler at each; only one handler. */
  on(handler: (signal: NodeJS.Signals, count: number) => void): void;
  /** From then on signals act as they do by default. */
  done(): void;
}

const SIGNALS: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

export function watchInterrupts(): Interrupts {
  let count = 0;
  let handler: ((signal: NodeJS.Signals, count: number) => void) | undefined;
  const { promise: first, resolve } = Promise.withResolvers<NodeJS.Signals>();
  const receive = (signal: NodeJS.Signals): void => {
    count++;
    resolve(signal);
    handler?.(signal, count);
  };
  for (const signal of SIGNALS) process.on(signal, receive);
  return {
    get count() {
      return count;
    },
    first,
    on: (next) => {
      handler = next;
    },
    done: () => {
      for (const signal of SIGNALS) process.off(signal, receive);
    },
  };
}
