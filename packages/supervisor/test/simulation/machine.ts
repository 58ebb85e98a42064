/** The machine all threads share. When it is full, whoever wants to run waits, and whoever runs gets only a part of a core. */
export class Machine {
  /** Time a thread waits for a processor each time it wants to run, ms; 0 on a machine with room. */
  waitMs = 0;
  /** Part of a core that a thread gets which never stops computing. */
  share = 1;

  get full(): boolean {
    return this.waitMs > 0;
  }
}
