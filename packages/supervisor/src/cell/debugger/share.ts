/** Reckons how long a thread must stand still so that it gets its share of one core. Pure: times come from outside, ms. */
export interface Share {
  cpu: number;
  /** Takes a reading: machine's clock and the thread's CPU time. Returns how long the thread has to stand still from here on. */
  account(nowMs: number, cpuMs: number): number;
}

/** A thread that rested may burn what it saved, up to this much time of its share. */
const SAVED_MS = 100;
/** What it burnt too much is paid back up to this much time: a thread that was in native code for long is not stopped for long. */
const OWED_MS = 500;

/**
 * A bucket of CPU time: it fills at `cpu` and empties by what was burnt. Since it counts what was really burnt, late timers, slow pauses and
 * a full machine cost accuracy for one period and not for good.
 */
export function createShare(cpu: number, nowMs: number, cpuMs: number): Share {
  let creditMs = 0;
  let lastMs = nowMs;
  let lastCpuMs = cpuMs;
  return {
    cpu,
    account(now, burnt) {
      creditMs += this.cpu * (now - lastMs) - (burnt - lastCpuMs);
      lastMs = now;
      lastCpuMs = burnt;
      creditMs = Math.min(SAVED_MS * this.cpu, Math.max(-OWED_MS * this.cpu, creditMs));
      return creditMs < 0 ? -creditMs / this.cpu : 0;
    },
  };
}
