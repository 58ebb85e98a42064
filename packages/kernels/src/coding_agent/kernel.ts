import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { defineKernel } from '@grace/kernel-sdk';
import { createOutbox, OUTBOX_TABLE } from './access/outbox.ts';
import { createProbe, PROBE } from './probe.ts';
import { createFindingsStore } from './scan/findings-store.ts';
import { createScanner } from './scan/scanner.ts';
import { SCAN_TABLES } from './scan/tables.ts';
import { readSettings } from './settings.ts';
import { createAnalyst } from './tasks/analyst.ts';
import { createCarrier } from './tasks/carry.ts';
import { createTaskQueue } from './tasks/queue.ts';
import { PATCH_TABLES, TASK_TABLES } from './tasks/task.ts';
import { createTeller } from './tell.ts';
import { createVerbs, realRoots } from './verbs.ts';
import { createWorkshop } from './workshop/workshop.ts';

/** Changes when the same source may be judged differently: what was judged before is judged again. */
const JUDGES = 1;

export default defineKernel({
  id: 'coding_agent',
  async start(ctx) {
    const settings = readSettings(ctx.config);
    ctx.store.migrate([`${SCAN_TABLES}${TASK_TABLES}${OUTBOX_TABLE}`, PATCH_TABLES]);
    const copies = join(ctx.stateDir, 'copies');
    // A life before may have been ended in the middle of a check.
    await rm(copies, { recursive: true, force: true });

    const outbox = createOutbox(ctx);
    const teller = createTeller(ctx);
    const workshop = createWorkshop(settings);
    const findings = createFindingsStore(ctx.store, `${JUDGES} ${settings.ruff.join(' ')}`);
    const queue = createTaskQueue(ctx.store, ctx.clock, (task) => teller.task(task));
    const boundsOf = () => realRoots(settings.roots);
    const analyst = createAnalyst({ ctx, queue, workshop, settings, outbox, copies, boundsOf });
    const carrier = createCarrier({ ctx, queue, outbox, roots: settings.roots });
    const scanner = createScanner({ workshop, findings, settings, clock: ctx.clock, onFinding: teller.finding });
    const probe = createProbe({ ctx, workshop, queue: createTaskQueue(ctx.store, ctx.clock, () => {}) });

    queue.discard(PROBE);
    const recovered = await carrier.recover();
    if (recovered.finished + recovered.takenBack > 0)
      ctx.log.warn('changes of a life before were unfinished', recovered);
    // Analysis leaves nothing behind, and the tree may be another by now: it begins again.
    for (const state of ['analysing', 'proposed'] as const)
      for (const { id } of queue.inState(state)) queue.move(id, 'queued', { note: 'began again after a restart' });
    analyst.wake();
    ctx.onPressure(() => workshop.shed());

    return {
      verbs: createVerbs({
        ...{ ctx, settings, scanner, findings, queue, analyst, carrier, outbox, boundsOf },
        facts: async () => ({
          roots: settings.roots,
          ...findings.counts(),
          tasks: queue.counts(),
          patterns: teller.patterns,
          scanning: scanner.underWay(),
          scans: findings.lastScans(),
          pool: await workshop.stats(),
          probe: probe.tried(),
          unsent: outbox.status(),
          untold: teller.untold(),
        }),
      }),
      probe: async () => ({
        ...(await probe.run()),
        tasks: Object.values(queue.counts()).reduce((sum, tasks) => sum + tasks, 0),
        patterns: teller.patterns,
      }),
      async drain() {
        await analyst.settled();
        await workshop.close();
        await outbox.finish();
      },
    };
  },
});
