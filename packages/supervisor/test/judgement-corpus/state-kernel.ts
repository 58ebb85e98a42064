// A kernel that really gets into the states of the corpus.
import { execSync } from 'node:child_process';
import { pbkdf2Sync } from 'node:crypto';
import { readFileSync } from 'node:fs';

interface Context {
  config: Readonly<Record<string, unknown>>;
  log: { info(message: string): void };
  bus: { publish(subject: string, payload: unknown): Promise<unknown> };
}

let deadlocked = false;

function compute(forMs: number): void {
  for (const end = performance.now() + forMs; performance.now() < end; );
}

function keepMaking(bytesPerSecond: number, make: (bytes: number) => unknown): void {
  const kept: unknown[] = [];
  setInterval(() => kept.push(make(bytesPerSecond / 20)), 50);
}

const objects = (bytes: number): unknown =>
  Array.from({ length: bytes / 100 }, (_, n) => ({ n, text: `object ${n}`, more: [n, n + 1] }));

const ACTS: Record<string, (ctx: Context) => void> = {
  quiet: () => {},
  work: () => void setInterval(() => compute(40), 100),
  long: () => void setInterval(() => compute(280), 500),
  garbage() {
    const kept: unknown[] = Array.from({ length: 50 }, () => objects(1e6));
    let next = 0;
    setInterval(() => {
      for (let turn = 0; turn < 3; turn++) kept[next++ % kept.length] = objects(1e6);
    }, 20);
  },
  loop() {
    for (;;);
  },
  regex: () => void /^(a+)+$/.test(`${'a'.repeat(40)}b`),
  async microtasks() {
    for (;;) await null;
  },
  pbkdf2: () => void pbkdf2Sync('password', 'salt', 2e9, 64, 'sha512'),
  atomics: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  fifo: ({ config }) => void readFileSync(String(config['fifo'])),
  exec: () => void execSync('exec sleep 20'),
  storm() {
    const turn = (): void => {
      compute(1);
      setImmediate(turn);
    };
    turn();
  },
  'heap leak': () => keepMaking(8e6, objects),
  'buffer leak': () => keepMaking(8e6, (bytes) => Buffer.alloc(bytes, 1)),
  'log flood': ({ log }) =>
    void setInterval(() => {
      for (let line = 0; line < 80; line++) log.info('one of very many');
    }, 20),
  // Nobody listens: the outbox fills, and then the client refuses.
  'message flood': ({ bus }) =>
    void setInterval(() => {
      for (let message = 0; message < 80; message++) bus.publish('corpus.flood', { message }).catch(() => {});
    }, 20),
  deadlock: () => {
    deadlocked = true;
  },
  crash: () => {
    throw new Error('thrown on purpose');
  },
};

export default {
  id: 'subject',
  start: (ctx: Context) => ({
    verbs: {
      enter({ act }: { act: string }) {
        // In a turn of its own, so that the answer leaves.
        setTimeout(() => ACTS[act]!(ctx), 20);
        return {};
      },
    },
    probe: () => (deadlocked ? new Promise(() => {}) : { fine: true }),
  }),
};
