import type { Clock } from '@grace/contracts';
import { createLoadMeter } from './load.ts';

/** How often the core is asked what is due when nothing else happens, ms. */
const TICK_MS = 100;
/** How often the load of the machine is read, ms. */
const MACHINE_MS = 250;
/** The supervisor's own lag from which it is written down, ms. */
const LAG_NOTED_MS = 250;

/** The supervisor's regular beat, which also measures how late the supervisor itself is: an observer that lags accuses nobody. */
export function createPulse(
  clock: Clock,
  on: { tick(): void; machine(busy: number, lagMs: number): void; lagged(lagMs: number): void },
): { readonly lagMsMax: number; stop(): void } {
  const readLoad = createLoadMeter();
  let last = clock.monoMs();
  let lastMachine = last;
  let lagMsMax = 0;
  const timer = setInterval(() => {
    const now = clock.monoMs();
    const lagMs = Math.max(0, now - last - TICK_MS);
    last = now;
    lagMsMax = Math.max(lagMsMax, lagMs);
    if (lagMs >= LAG_NOTED_MS) on.lagged(Math.round(lagMs));
    if (now - lastMachine >= MACHINE_MS) {
      lastMachine = now;
      on.machine(readLoad() ?? 0, lagMs);
    } else on.tick();
  }, TICK_MS);
  return {
    get lagMsMax() {
      return lagMsMax;
    },
    stop: () => clearInterval(timer),
  };
}
