import {
  type AnyDraft,
  completeManifest,
  type KernelManifest,
  type ManifestSource,
  SETTINGS_DEFAULTS,
  type ThreadSample,
} from '@grace/contracts';
import { decide } from '../src/core/decide.ts';
import type { Command, CoreEvent } from '../src/core/events.ts';
import { initialState } from '../src/core/initial.ts';
import type { CoreState } from '../src/core/state.ts';

export function manifestOf(id: string, source: Partial<ManifestSource> = {}): KernelManifest {
  return completeManifest({ id, title: id, cell: 'one', ...source }, { module: `/${id}.js`, builtin: true });
}

export interface Behaviour {
  loadMs: number;
  startMs: number;
  probeMs: number;
  /** What `start` does; the argument is the incarnation. */
  start: (incarnation: number) => 'ok' | 'throws' | 'hangs';
  probe: (incarnation: number) => 'ok' | 'fails' | 'hangs';
  terminate: 'ok' | 'stuck';
}

/**
 * Simulated cells and threads around the decision core, on a simulated clock. Commands have outcomes after simulated delays; nothing here
 * decides anything.
 */
export class World {
  now = 0;
  state: CoreState;
  readonly journal: (AnyDraft & { at: number })[] = [];
  readonly commands: { at: number; command: Command }[] = [];
  readonly threads = new Map<string, { incarnation: number; cell: string }>();
  readonly cells = new Map<string, number>();
  finished = false;
  /** Cells whose agent says nothing: stopped by a signal, or with a main thread that is blocked. */
  readonly silent = new Map<string, 'stopped' | 'blocked'>();
  #agenda: { at: number; order: number; act: () => void }[] = [];
  #order = 0;
  readonly #mute = new Set<string>();
  readonly #behaviour: (kernel: string) => Behaviour;

  constructor(
    kernels: KernelManifest[],
    options: {
      behaviour?: (kernel: string) => Partial<Behaviour>;
      safeguards?: Partial<CoreState['safeguards']>;
      seed?: number;
    } = {},
  ) {
    const safeguards = { heartbeatDetector: true, mute: true, restartEngine: true, ...options.safeguards };
    this.state = initialState({ kernels, safeguards, settings: SETTINGS_DEFAULTS }, 0, options.seed ?? 1, 'inc');
    this.#behaviour = (kernel) => ({
      loadMs: 10,
      startMs: 5,
      probeMs: 2,
      start: () => 'ok',
      probe: () => 'ok',
      terminate: 'ok',
      ...options.behaviour?.(kernel),
    });
  }

  boot(): this {
    this.emit({ t: 'boot' });
    return this;
  }

  emit(event: CoreEvent): void {
    const before = JSON.stringify(this.state);
    const { state, commands } = decide(this.state, event, this.now);
    if (JSON.stringify(this.state) !== before) throw new Error('decide changed the state it was given');
    this.state = state;
    for (const command of commands) this.#do(command);
  }

  later(ms: number, act: () => void): void {
    this.#agenda.push({ at: this.now + ms, order: this.#order++, act });
  }

  /** Lets `ms` pass: what is on the agenda happens, and the core is asked every 50 ms what is due. */
  run(ms: number): this {
    const end = this.now + ms;
    for (let tick = this.now + 50; ; ) {
      this.#agenda.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.#agenda[0];
      if (next && next.at <= Math.min(tick, end)) {
        this.#agenda.shift();
        this.now = next.at;
        next.act();
      } else if (tick <= end) {
        this.now = tick;
        tick += 50;
        this.emit({ t: 'tick' });
        if (this.now % 500 < 50) this.#hear();
      } else break;
    }
    this.now = end;
    return this;
  }

  stateOf(kernel: string): string {
    return this.state.kernels[kernel]!.state;
  }

  records<N extends AnyDraft['name']>(name: N, kernel?: string): (Extract<AnyDraft, { name: N }> & { at: number })[] {
    return this.journal.filter(
      (draft) => draft.name === name && (kernel === undefined || draft.kernel === kernel),
    ) as never;
  }

  crash(kernel: string, code = 1): void {
    const thread = this.threads.get(kernel);
    if (!thread) return;
    this.threads.delete(kernel);
    this.emit({
      t: 'exited',
      kernel,
      incarnation: thread.incarnation,
      code,
      error: code === 0 ? null : { code: 'INTERNAL', message: 'boom' },
    });
  }

  crashCell(cell: string): void {
    const incarnation = this.cells.get(cell);
    if (incarnation === undefined) return;
    this.cells.delete(cell);
    this.silent.delete(cell);
    for (const [kernel, thread] of this.threads) if (thread.cell === cell) this.threads.delete(kernel);
    this.emit({ t: 'cell-exit', cell, incarnation, pid: 1, code: null, signal: 'SIGSEGV' });
  }

  /** From now on the cell answers no order at all, and its end is not heard of either. */
  mute(cell: string): void {
    this.#mute.add(cell);
  }

  sample(
    cell: string,
    threads: (Partial<ThreadSample> & { kernel: string })[],
    agentLagMs = 0,
    rssBytes: number | null = null,
  ): void {
    this.emit({
      t: 'sample',
      sample: {
        cell,
        atMono: this.now,
        agentLagMs,
        cpuPercent: null,
        rssBytes,
        threads: threads.map((thread) => ({
          incarnation: this.state.kernels[thread.kernel]!.incarnation,
          atMono: this.now,
          heartbeatAgeMs: 20,
          elu: 0.01,
          cpuMs: 10,
          runDelayMs: 1,
          heapBytes: 1,
          externalBytes: 1,
          heapAtMono: this.now,
          cap: null,
          missed: null,
          logs: 0,
          errors: 0,
          work: 0,
          published: 0,
          refused: 0,
          servedMs: 0,
          ...thread,
        })),
      },
    });
  }

  #do(command: Command): void {
    this.commands.push({ at: this.now, command });
    if (command.do !== 'journal' && 'cell' in command && this.#mute.has(command.cell)) return;
    const behaviour = 'kernel' in command && command.kernel !== null ? this.#behaviour(command.kernel) : null;
    switch (command.do) {
      case 'journal':
        this.journal.push({ ...command.draft, at: this.now });
        return;
      case 'spawn-cell':
        this.later(30, () => {
          this.cells.set(command.cell, command.incarnation);
          this.emit({ t: 'cell-online', cell: command.cell, incarnation: command.incarnation, pid: 1 });
        });
        return;
      case 'kill-cell':
      case 'end-cell':
        this.later(5, () => this.crashCell(command.cell));
        return;
      case 'load':
        if (this.threads.has(command.kernel)) throw new Error(`two incarnations of ${command.kernel} alive`);
        this.threads.set(command.kernel, { incarnation: command.incarnation, cell: command.cell });
        this.#answer(command, behaviour!.loadMs, () =>
          this.emit({ t: 'loaded', kernel: command.kernel, incarnation: command.incarnation, tid: 7 }),
        );
        return;
      case 'start': {
        const how = behaviour!.start(command.incarnation);
        if (how === 'hangs') return;
        this.#answer(command, behaviour!.startMs, () => {
          const { kernel, incarnation } = command;
          if (how === 'ok') this.emit({ t: 'started', kernel, incarnation, verbs: ['status'] });
          else this.emit({ t: 'start-failed', kernel, incarnation, error: { code: 'KERNEL_START', message: 'threw' } });
        });
        return;
      }
      case 'probe': {
        const how = behaviour!.probe(command.incarnation);
        const ms = how === 'hangs' ? command.deadlineMs : behaviour!.probeMs;
        const { kernel, incarnation } = command;
        this.later(ms, () =>
          this.emit({
            t: 'probed',
            kernel,
            incarnation,
            ok: how === 'ok',
            ms,
            detail: {},
            error: how === 'ok' ? null : { code: how === 'hangs' ? 'DEADLINE' : 'INTERNAL', message: 'no' },
          }),
        );
        return;
      }
      case 'drain':
        this.#answer(command, 5, () =>
          this.emit({ t: 'drained', kernel: command.kernel, incarnation: command.incarnation }),
        );
        return;
      case 'terminate':
        this.later(behaviour!.terminate === 'ok' ? 3 : command.deadlineMs, () => {
          const { kernel, incarnation } = command;
          const alive = this.threads.get(kernel)?.incarnation === incarnation;
          if (alive && behaviour!.terminate === 'stuck') return this.emit({ t: 'stuck', kernel, incarnation });
          if (alive) this.threads.delete(kernel);
          this.emit({ t: 'exited', kernel, incarnation, code: 1, error: null });
        });
        return;
      case 'limit':
        this.#answer(command, 2, () =>
          this.emit({
            t: 'limited',
            kernel: command.kernel,
            incarnation: command.incarnation,
            cpu: command.cpu,
            method: 'cgroup1',
          }),
        );
        return;
      case 'inspect-cell': {
        const { cell, incarnation } = command;
        this.later(1, () =>
          this.emit({
            t: 'cell-inspected',
            cell,
            incarnation,
            stopped: this.silent.get(cell) === 'stopped',
            main: null,
          }),
        );
        return;
      }
      case 'continue-cell':
        if (this.silent.get(command.cell) === 'stopped') this.silent.delete(command.cell);
        return;
      case 'press':
      case 'tell':
      case 'evidence':
        return;
      case 'finish':
        this.finished = true;
        return;
      default:
        command satisfies never;
    }
  }

  /** The agents of living cells are heard, whatever they have to say. */
  #hear(): void {
    for (const cell of [...this.cells.keys()]) if (!this.silent.has(cell)) this.sample(cell, []);
  }

  /** An outcome that comes only while the thread lives. */
  #answer(command: { kernel: string; incarnation: number }, ms: number, act: () => void): void {
    this.later(ms, () => {
      if (this.threads.get(command.kernel)?.incarnation === command.incarnation) act();
    });
  }
}
