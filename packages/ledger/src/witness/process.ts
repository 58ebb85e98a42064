import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseVkey, type Verifier } from '../tree/note.ts';
import type { WitnessPlace } from './cosigner.ts';
import { socketPath } from './socket.ts';

export interface WitnessProcessOptions {
  /** The folder of the witness. */
  dir: string;
  /** The name of its key, when it has none yet. */
  name: string;
  /** The key of the log it is to watch. */
  log: string;
  /** Called when it is ready, and with the reason when it ended or refuses the log. */
  onChange(problem: string | null): void;
}

const PAUSE_MIN_MS = 250;
const PAUSE_MAX_MS = 30_000;
/** Who lived this long begins with the shortest pause again. */
const STABLE_MS = 60_000;
const END_DEADLINE_MS = 1000;
/** Unanswered questions after which it is taken for hung. */
const SILENCES_MAX = 3;
const HEAP_MB = 64;

// Bundled, this code stands in a folder beside the entries; from source, beside the entry.
const entry = import.meta.url.endsWith('.ts') ? './main.ts' : '../witness.js';

/** Owns the process of a witness: starts it, starts it again when it dies, and ends it. It ends by itself when this thread does. */
export class WitnessProcess {
  readonly #options: WitnessProcessOptions;
  #child: ChildProcess | null = null;
  #ready: { pid: number; verifier: Verifier } | null = null;
  /** It listens, and does not know the log yet. */
  #listening: { pid: number; verifier: Verifier } | null = null;
  readonly #onReady = new Set<() => void>();
  #restart: NodeJS.Timeout | undefined;
  #pauseMs = PAUSE_MIN_MS;
  /** Unanswered questions in a row. */
  #silences = 0;
  #closed = false;
  /** How often it was started. */
  starts = 0;

  constructor(options: WitnessProcessOptions) {
    this.#options = options;
  }

  get pid(): number | null {
    return this.#ready?.pid ?? null;
  }

  readonly place: WitnessPlace = () =>
    this.#ready && {
      address: { socketPath: socketPath(this.#options.dir, this.#ready.pid) },
      verifier: this.#ready.verifier,
    };

  start(): void {
    if (this.#closed || this.#child) return;
    const { dir, name, onChange } = this.#options;
    const startedMono = performance.now();
    this.starts++;
    const args = [`--max-old-space-size=${HEAP_MB}`, fileURLToPath(new URL(entry, import.meta.url))];
    const child = spawn(process.execPath, [...args, '--dir', dir, '--name', name], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {},
    });
    this.#child = child;
    let problem = 'the witness ended';
    // It may be gone before it has read everything; its end is told by `exit`.
    child.stdin!.on('error', () => undefined);
    createInterface({ input: child.stdout! }).on('line', (line) => {
      problem = this.#hear(line) ?? problem;
    });
    const ended = (why: string) => {
      if (this.#child !== child) return;
      this.#child = null;
      this.#ready = null;
      this.#silences = 0;
      if (this.#closed) return;
      if (performance.now() - startedMono > STABLE_MS) this.#pauseMs = PAUSE_MIN_MS;
      this.#restart = setTimeout(() => this.start(), this.#pauseMs);
      this.#pauseMs = Math.min(PAUSE_MAX_MS, this.#pauseMs * 2);
      onChange(why);
    };
    child.on('error', (error) => ended(`the witness cannot be started: ${error.message}`));
    child.on('exit', (code, signal) => ended(`${problem} (${signal ?? `exit code ${code}`})`));
  }

  /** Resolves when it can be asked, or after the deadline. */
  async settled(deadlineMs: number): Promise<void> {
    if (this.#ready || this.#closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onReady.add(resolve);
    const timer = setTimeout(resolve, deadlineMs);
    await promise;
    clearTimeout(timer);
    this.#onReady.delete(resolve);
  }

  /** Whether it answered a question in time. Who never does is hung, and replaced. */
  heard(answered: boolean): void {
    this.#silences = answered ? 0 : this.#silences + 1;
    if (this.#silences >= SILENCES_MAX) this.#child?.kill('SIGKILL');
  }

  /** Resolves when it is gone. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const resolve of this.#onReady) resolve();
    clearTimeout(this.#restart);
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.stdin!.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), END_DEADLINE_MS);
    await gone;
    clearTimeout(timer);
  }

  /** One of its documents; answers with what is wrong. */
  #hear(line: string): string | null {
    let said: { vkey?: string; pid?: number; log?: string; error?: string };
    try {
      said = JSON.parse(line);
    } catch {
      return null;
    }
    if (said.error !== undefined) {
      this.#options.onChange(said.error);
      return said.error;
    }
    if (said.vkey !== undefined) {
      this.#listening = { pid: said.pid!, verifier: parseVkey(said.vkey) };
      this.#child?.stdin?.write(`${this.#options.log}\n`);
    }
    if (said.log !== undefined) {
      this.#ready = this.#listening;
      for (const resolve of this.#onReady) resolve();
      this.#options.onChange(null);
    }
    return null;
  }
}
