import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { BusPermit, KeptAccess } from '@grace/bus/broker';
import type { Clock } from '@grace/contracts';
import type { KernelLog } from '@grace/kernel-sdk';

const FILE = 'access.json';

/** Instants in wall time: the monotonic clock of a machine begins anew with it, and a mute must not last for ever. */
interface Written {
  mutes: { principal: string; level: number; until: number; lastDenied: number; denied: number; lastSubject: string }[];
  permits: { id: string; principal: string; publish: string[]; subscribe: string[]; until: number }[];
}

/**
 * Keeps mutes and permits over the broker's death, in a file of the kernel's own folder. Written beside the thread, never by it: the thread
 * that routes waits for no disk.
 */
export class AccessKeeper {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: KernelLog;
  #read: (() => KeptAccess) | undefined;
  #writing: Promise<void> | undefined;
  #stale = false;

  constructor(stateDir: string, clock: Clock, log: KernelLog) {
    this.#path = join(stateDir, FILE);
    this.#clock = clock;
    this.#log = log;
  }

  /** What the broker before this one left; empty when there was none, or its file cannot be read, which is logged. */
  async load(): Promise<KeptAccess> {
    try {
      return this.#toMono(JSON.parse(await readFile(this.#path, 'utf8')) as Written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#log.warn('mutes and permits of the broker before could not be read', { error: String(error) });
      return { mutes: [], permits: [] };
    }
  }

  /** From now on `changed` writes what this returns. */
  follow(read: () => KeptAccess): void {
    this.#read = read;
  }

  /** Resolves when what stands now is on disk, or could not be written, which is logged: access goes on without it. */
  async changed(): Promise<void> {
    if (!this.#read) return;
    this.#stale = true;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#stale) {
      this.#stale = false;
      await this.#write(JSON.stringify(this.#toWall(this.#read!()))).catch((error: unknown) =>
        this.#log.warn('mutes and permits could not be kept', { error: String(error) }),
      );
    }
  }

  async #write(text: string): Promise<void> {
    const beside = `${this.#path}.new`;
    const file = await open(beside, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, this.#path);
  }

  #toWall({ mutes, permits }: KeptAccess): Written {
    const offset = this.#clock.wallMs() - this.#clock.monoMs();
    return {
      mutes: mutes.map(({ untilMono, lastDeniedMono, ...mute }) => ({
        ...mute,
        until: untilMono === 0 ? 0 : untilMono + offset,
        lastDenied: lastDeniedMono + offset,
      })),
      permits: permits.map(({ untilMono, publish, subscribe, ...permit }) => ({
        ...permit,
        publish: [...publish],
        subscribe: [...subscribe],
        until: untilMono + offset,
      })),
    };
  }

  #toMono({ mutes, permits }: Written): KeptAccess {
    const offset = this.#clock.wallMs() - this.#clock.monoMs();
    return {
      mutes: mutes.map(({ until, lastDenied, ...mute }) => ({
        ...mute,
        untilMono: until === 0 ? 0 : until - offset,
        lastDeniedMono: lastDenied - offset,
      })),
      permits: permits.map(({ until, ...permit }): BusPermit => ({ ...permit, untilMono: until - offset })),
    };
  }
}
