/** The two times of every record. `mono` is CLOCK_MONOTONIC of the machine, in ms: the same in all processes of one boot. */
export interface Clock {
  /** Milliseconds since 1970, for people. May jump. */
  wallMs(): number;
  /** Milliseconds since the machine booted, for subtractions. Never jumps. */
  monoMs(): number;
}

/** `process.hrtime` reads the machine's monotonic clock, so instants of supervisor, cells, threads and runner can be subtracted. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monoMs: () => Number(process.hrtime.bigint() / 1000n) / 1000,
};
