import type { BusClient } from '@grace/bus/client';
import { FORBIDDEN_SUBJECT, MAX_PAYLOAD_BYTES, type Part } from './cast.ts';
import { draw } from './random.ts';
import type { Record } from './recorder.ts';

/** Beyond, a participant waits: its history must not depend on how large an outbox is. */
const PENDING_MAX = 500;
/** Every so many ticks something is tried that must be refused: seldom enough for the mute. */
const TRESPASS_EVERY = 10;
/** Publishes whose outcome is not known are repeated with the same id, this share of them. */
const REPEAT_SHARE = 0.5;
const POISON_SHARE = 0.004;
/** Codes after which the broker may have the message all the same. */
const UNKNOWN = new Set(['BUS_DEADLINE', 'BUS_CLOSED', 'BUS_OVERLOADED']);

export interface Traffic {
  /** Publishes nothing more; resolves with how much it was when every publish is answered. */
  end(): Promise<number>;
}

export function startTraffic(parts: {
  bus: BusClient;
  who: string;
  life: number;
  seed: number;
  tickMs: number;
  part: Part;
  record: Record;
}): Traffic {
  const { bus, who, life, seed, tickMs, part, record } = parts;
  const numbers = new Map<string, number>();
  let serial = 0;
  let ticks = 0;
  const pending = new Set<Promise<void>>();

  const publish = async (subject: string, size: number, deadlineMs: number): Promise<void> => {
    const key = `${who}.${life}.${++serial}`;
    const n = (numbers.get(subject) ?? 0) + 1;
    numbers.set(subject, n);
    const isPoison = draw(seed, 'poison', key) < POISON_SHARE;
    const payload = { key, n, isPoison, filling: 'x'.repeat(size) };
    // Without an id the client gives one, and nobody can say the same again.
    const id = draw(seed, 'id', key) < 0.7 ? { id: key } : {};
    const durable = subject.startsWith('task.');
    for (let again = false; ; again = true) {
      record({ e: 'invoke', key, s: subject, n, durable, again });
      try {
        await bus.publish(subject, payload, { deadlineMs, ...id });
        record({ e: 'ok', key });
        return;
      } catch (error) {
        const code = (error as { code?: string }).code ?? String(error);
        record({ e: 'fail', key, code });
        if (!UNKNOWN.has(code) || id.id === undefined || timer === undefined) return;
        if (draw(seed, 'repeat', key) > REPEAT_SHARE) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };
  const start = (subject: string, size: number, deadlineMs = 10_000): void => {
    const one = publish(subject, size, deadlineMs).finally(() => pending.delete(one));
    pending.add(one);
  };

  const tick = (): void => {
    ticks++;
    if (part.trespasses && ticks % TRESPASS_EVERY === 0) {
      const way = Math.floor((ticks / TRESPASS_EVERY) % 3);
      if (way === 0) start(FORBIDDEN_SUBJECT, 1);
      else if (way === 1) start(part.publishes[0]!, MAX_PAYLOAD_BYTES * 2);
      else start('task..history', 1);
    }
    if (part.publishes.length === 0 || pending.size >= PENDING_MAX) return;
    const many = draw(seed, 'burst', who, life, ticks) < 0.05 ? 12 : 1;
    for (let i = 0; i < many; i++) {
      const drawn = (what: string): number => draw(seed, what, who, life, ticks, i);
      const subject = part.publishes[Math.floor(drawn('subject') * part.publishes.length)]!;
      // One in ten has little patience: when the broker is away its outcome stays unknown.
      start(subject, Math.floor(drawn('size') ** 4 * 3000), drawn('deadline') < 0.1 ? 150 : 15_000);
    }
  };
  let timer: NodeJS.Timeout | undefined = setInterval(tick, tickMs);
  return {
    async end() {
      clearInterval(timer);
      timer = undefined;
      while (pending.size > 0) await Promise.allSettled([...pending]);
      return serial;
    },
  };
}
