import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { OUTSIDE } from './cast.ts';
import type { OutsideBirth } from './outside.ts';

const ENTRY = fileURLToPath(new URL('./outside.ts', import.meta.url));

interface Birth {
  folder: string;
  seed: number;
  tickMs: number;
  /** Asks the supervisor. */
  token(principal: string): Promise<{ socket: string; token: string }>;
}

/** The participants outside of the system, one process each, started again whenever one is killed. */
export class OutsideProcesses {
  readonly #birth: Birth;
  #isClosed = false;
  readonly #running = new Map<string, { child: ChildProcess; life: number }>();

  constructor(birth: Birth) {
    this.#birth = birth;
  }

  lifeOf(who: string): number {
    return this.#running.get(who)?.life ?? 0;
  }

  async start(who: string): Promise<void> {
    if (this.#isClosed) return;
    const { folder, seed, tickMs, token } = this.#birth;
    const life = this.lifeOf(who) + 1;
    const child = fork(ENTRY, { execArgv: ['--disable-warning=ExperimentalWarning'] });
    this.#running.set(who, { child, life });
    const part = OUTSIDE[who]!;
    child.send({ who, life, plan: { folder, seed, tickMs, part }, ...(await token(who)) } satisfies OutsideBirth);
  }

  /** SIGKILL, and another life. Resolves with the process id when the old one has ended. */
  async kill(who: string): Promise<number> {
    const { child } = this.#running.get(who)!;
    await end(child);
    await this.start(who);
    return child.pid!;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#running.values()].map(({ child }) => end(child)));
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
