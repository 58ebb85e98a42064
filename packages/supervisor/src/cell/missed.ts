import type { MissedNotices } from '@grace/contracts';

/** Notices that wait for a supervisor. */
const KEPT = 1000;
/** A supervisor that ended may not have read what was written to it this long before its end was known, ms. */
const UNREAD_MS = 2000;

/**
 * Keeps what a cell has to tell while nobody listens: ends of threads, reports, ended faults. Samples are out of date at once and are not
 * kept. Past the bound the oldest go and are counted.
 */
export function createMissed(nowMono: () => number = () => performance.now()): {
  keep(name: string, data: unknown): void;
  /** It was written to a supervisor. The end of a thread is told again should that be gone: told twice it is one end. */
  wrote(name: string, data: unknown): void;
  /** The supervisor is gone. */
  lost(): void;
  /** Everything kept, which is thereby handed over; what could not be delivered is given back. */
  take(): MissedNotices;
  giveBack(missed: MissedNotices): void;
} {
  let kept: MissedNotices = { notices: [], dropped: 0 };
  let written: { notice: MissedNotices['notices'][number]; atMono: number }[] = [];
  const unread = () => written.filter(({ atMono }) => nowMono() - atMono < UNREAD_MS);
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
    wrote(name, data) {
      if (name === 'kernel.exit') written = [...unread(), { notice: { name, data }, atMono: nowMono() }];
    },
    lost() {
      kept = { ...kept, notices: [...unread().map(({ notice }) => notice), ...kept.notices] };
      written = [];
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
