import { type StatusDocument, systemClock, type Withheld } from '@grace/contracts';
import { familyCpuMs, type MachineCpu, machineCpu, TICK_MS, threadWait } from '../fault/process-table.ts';

const EVERY_MS = 100;
/** A timer that is late by this much was not merely late, ms. */
const LATE_MS = 50;
/** Less than this in one look is what every machine does, ms. */
const NOTED_MS = 20;
/** Who had the processors is told by ticks of 10 ms, so over at least this long, ms. */
const LOAD_MS = 500;
/** Share of all cores that processes outside the system must have used, before what its threads waited for is laid to them. */
const FOREIGN = 0.25;
/** Stretches after each other are told as one when their shares are as close as this. */
const SAME_SHARE = 0.2;
/** More stretches are not kept. What is left out excuses nobody. */
const MAX_STRETCHES = 600;

/** A thread on which the promises of a trial rest. */
interface Watched {
  name: string;
  pid: number;
  tid: number;
  /** Those of kernels wait for processors by their own doing, or by that of a fault. */
  isKernel: boolean;
  runDelayMs: number | null;
}

export interface MachineWatch {
  /** What it saw so far. */
  seen(): Withheld[];
  /** Ends the watch and says what it saw. */
  stop(): Withheld[];
}

/**
 * Watches whether the machine lets the laboratory and the system run, by the operating system's account: time that a thread waited for a
 * processor while others had it, waited for a disk, or was stopped; time the host of a virtual machine took; and the runner's own lateness.
 * A system that only wastes its own time is not excused: what it waits for its own threads, or for its faults, does not count.
 */
export function watchMachine(status: StatusDocument): MachineWatch {
  const threads = threadsOf(status);
  const own = [process.pid, status.system.pid];
  const found: Withheld[] = [];
  let load: Load | null = null;
  let foreign = 0;
  let last = systemClock.monoMs();
  let stolenMs = machineCpu()?.stolenMs ?? null;

  const note = (one: Withheld): void => {
    if (one.ms < NOTED_MS) return;
    const before = found.at(-1);
    if (
      before &&
      before.of === one.of &&
      before.by === one.by &&
      before.toMono === one.fromMono &&
      isAlike(before, one)
    ) {
      before.toMono = one.toMono;
      before.ms += one.ms;
    } else if (found.length < MAX_STRETCHES) found.push(one);
  };
  /** Of everything that was withheld since the look before, the most. */
  const look = (): void => {
    const fromMono = last;
    const toMono = systemClock.monoMs();
    last = toMono;
    const forMs = toMono - fromMono;
    const machine = machineCpu();
    if (machine && (load === null || toMono - load.atMono >= LOAD_MS)) {
      const now = { atMono: toMono, machine, own: familyCpuMs(own) };
      if (load) foreign = foreignShare(load, now);
      load = now;
    }
    let worst: Withheld = { fromMono, toMono, ms: 0, of: 'runner', by: 'unknown' };
    const consider = (ms: number, of: string, by: Withheld['by']): void => {
      if (ms > worst.ms) worst = { fromMono, toMono, ms: Math.min(forMs, ms), of, by };
    };
    for (const thread of threads) {
      const seen = threadWait(thread.pid, thread.tid);
      const waitedMs = seen && thread.runDelayMs !== null ? seen.runDelayMs - thread.runDelayMs : 0;
      thread.runDelayMs = seen?.runDelayMs ?? null;
      if (foreign >= FOREIGN && !thread.isKernel) consider(waitedMs, thread.name, 'others');
      // One look says something about a short time only.
      if (forMs > 2 * EVERY_MS) continue;
      if (seen?.state === 'D') consider(forMs, thread.name, 'disk');
      if (seen?.state === 'T') consider(forMs, thread.name, 'stop');
    }
    if (machine && stolenMs !== null) consider(machine.stolenMs - stolenMs, 'machine', 'host');
    stolenMs = machine?.stolenMs ?? null;
    if (forMs > EVERY_MS + LATE_MS) consider(forMs - EVERY_MS, 'runner', 'unknown');
    note(worst);
  };
  const timer = setInterval(look, EVERY_MS).unref();
  look();
  const seen = (): Withheld[] => found.map((one) => ({ ...one, ms: Math.round(one.ms) }));
  return {
    seen,
    stop() {
      clearInterval(timer);
      look();
      return seen();
    },
  };
}

/** The main threads of the supervisor and of every cell, and the threads of all kernels. */
function threadsOf(status: StatusDocument): Watched[] {
  const thread = (name: string, pid: number | null, tid: number | null, isKernel = false): Watched[] =>
    pid === null || tid === null ? [] : [{ name, pid, tid, isKernel, runDelayMs: null }];
  const pidOf = (cell: string): number | null => status.cells.find(({ id }) => id === cell)?.pid ?? null;
  return [
    ...thread('supervisor', status.system.pid, status.system.pid),
    ...status.cells.flatMap(({ id, pid }) => thread(id, pid, pid)),
    ...status.kernels.flatMap(({ id, cell, tid }) => thread(id, pidOf(cell), tid, true)),
  ];
}

function isAlike(a: Withheld, b: Withheld): boolean {
  return Math.abs(a.ms / (a.toMono - a.fromMono) - b.ms / (b.toMono - b.fromMono)) <= SAME_SHARE;
}

/** Who had the processors up to one moment: everybody together, and each process of the runner and of the system, ms. */
interface Load {
  atMono: number;
  machine: MachineCpu;
  own: Map<number, number>;
}

/** Share of all cores that went to others. A process of ours that ended takes its account with it; then nothing is laid to others. */
function foreignShare(from: Load, to: Load): number {
  if ([...from.own.keys()].some((pid) => !to.own.has(pid))) return 0;
  const allMs = (to.machine.total - from.machine.total) * TICK_MS;
  const busyMs = (to.machine.busy - from.machine.busy) * TICK_MS;
  const ownMs = [...to.own].reduce((sum, [pid, cpuMs]) => sum + cpuMs - (from.own.get(pid) ?? 0), 0);
  return allMs <= 0 ? 0 : (busyMs - ownMs) / allMs;
}
