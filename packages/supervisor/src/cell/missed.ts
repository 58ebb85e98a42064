import type { MissedNotices } from '@grace/contracts';

/** Notices that wait for a supervisor. */
const KEPT = 1000;

/**
 * Keeps what a cell has to tell while nobody listens: ends of threads, reports, ended faults. Samples are out of date at once and are not
 * kept. Past the bound the oldest go and are counted.
 */
export function createMissed(): {
  keep(name: string, data: unknown): void;
  /** Everything kept, which is thereby handed over; what could not be delivered is given back. */
  take(): MissedNotices;
  giveBack(missed: MissedNotices): void;
} {
  let kept: MissedNotices = { notices: [], dropped: 0 };
  const bound = (): void => {
    const over = Math.max(0, kept.notices.length - KEPT);
    kept.notices.splice(0, over);
    kept.dropped += over;
  };
  return {
    keep(name, data) {
      if (name === 'sample') return;
      kept.notices.push({ name: name as MissedNotices['notices'][number]['name'], data });
      bound();
    },
    take() {
      const taken = kept;
      kept = { notices: [], dropped: 0 };
      return taken;
    },
    giveBack(missed) {
      kept = { notices: [...missed.notices, ...kept.notices], dropped: missed.dropped + kept.dropped };
      bound();
    },
  };
}
