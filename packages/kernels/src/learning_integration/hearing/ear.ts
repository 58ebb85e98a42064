import type { AnyRecord } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { readJournal, readRuns } from './catch-up.ts';
import { type Books, createIntake } from './intake.ts';
import { untilDone } from './patience.ts';
import { HEARD } from './take.ts';

const DEADLINE_MS = 3000;

/** Hears the journal on the bus, and reads what was said while it could not hear. */
export interface Ear {
  /** Writes what was heard and waits. */
  flush(): void;
  status(): Record<string, unknown>;
}

/** @param onTaken called after something was written */
export function openEar(ctx: KernelContext, books: Books, onTaken: () => void): Ear {
  const intake = createIntake(ctx, books, onTaken);
  const read = { records: 0, runs: 0 };

  const catchUp = untilDone(ctx, 'reading the journal', async () => {
    read.records += await readJournal(ctx, intake);
    intake.complete(true);
  });
  const catchUpRuns = untilDone(ctx, 'reading the history of self_healing', async () => {
    const found = await readRuns(ctx, books);
    read.runs += found;
    if (found > 0) onTaken();
  });

  const deaf = new Set<AnyRecord['name']>([...HEARD, 'kernel:ready']);
  const listen = untilDone(ctx, 'listening', async () => {
    for (const name of deaf) {
      const handle = (record: AnyRecord): void => {
        // Runs that its end cut off are closed at its start.
        if (record.name !== 'kernel:ready') intake.hear(record);
        else if (record.kernel === 'self_healing') void catchUpRuns();
      };
      const subject = `system.events.${name.replace(':', '.')}`;
      await ctx.bus.subscribe(subject, ({ payload }) => handle(payload as AnyRecord), { deadlineMs: DEADLINE_MS });
      deaf.delete(name);
    }
  });
  ctx.onNeed((need, up) => {
    if (need !== 'message_bus') return;
    intake.flush();
    intake.complete(false);
    if (up) void catchUp();
  });
  const begin = async (): Promise<void> => {
    // The ear first: what comes while the journal is read is heard.
    await listen();
    await Promise.all([catchUp(), catchUpRuns()]);
  };
  void begin();

  return {
    flush: intake.flush,
    status: () => ({
      listening: deaf.size === 0,
      ...intake.status(),
      read,
      trouble: listen.error() ?? catchUp.error() ?? catchUpRuns.error(),
    }),
  };
}
