import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Outbox } from '../access/outbox.ts';
import { hashNow, type Swap, swapFiles, sweep } from '../change/applier.ts';
import { exchange } from '../change/exchange.ts';
import { openRoot } from '../tree/place.ts';
import type { TaskQueue } from './queue.ts';
import type { KeptPatch, Task } from './task.ts';

export type Act = 'apply' | 'revert';

const ENDS = { apply: 'applied', revert: 'reverted' } as const;

export type Carrier = ReturnType<typeof createCarrier>;

/**
 * Puts verified patches into the tree and takes them out again. What is about to be done is on disk before the first file is touched, so that a
 * life that finds it unfinished can finish it or take it back.
 */
export function createCarrier(parts: {
  ctx: KernelContext;
  queue: TaskQueue;
  outbox: Outbox;
  roots: readonly string[];
}) {
  const { ctx, queue, outbox, roots } = parts;
  const { db } = ctx.store;
  const begin = db.prepare('INSERT INTO acts (task, act, by, atMs) VALUES (?, ?, ?, ?)');
  const end = db.prepare('DELETE FROM acts WHERE task = ?');
  const unfinished = db.prepare('SELECT task, act, by FROM acts');
  const underWay = new Set<string>();

  const record = (task: Task, act: Act, by: string, outcome: string, payload: Record<string, unknown> = {}): void => {
    const { change, root } = task;
    outbox.audit({
      actor: by,
      action: `change:${act}`,
      resource: change?.id ?? task.id,
      outcome,
      payload: { root, files: change?.files, strategy: change?.strategy, lines: change?.lines, ...payload },
    });
  };
  const decide = (task: Task, act: Act, by: string, decision: string | null): void =>
    outbox.decision({
      what: `${act} ${task.change?.strategy} to ${task.change?.files.join(', ')}`.slice(0, 500),
      why: (act === 'apply' ? (task.change?.reason ?? '') : 'it was asked for').slice(0, 1000) || 'it was asked for',
      who: by.slice(0, 200),
      where: task.finding.file.slice(0, 200),
      how: decision === null ? 'finished after a restart' : `permitted by decision ${decision}`,
      correlation: task.id,
      ...(act === 'apply' && task.change ? { confidence: task.change.confidence } : {}),
    });

  return {
    /**
     * The files of a task as they would have to be for this act; nothing is touched.
     * @throws GraceError `CONFLICT` for a file that is another by now, `FORBIDDEN` for a tree that may no longer be changed
     */
    async check(task: Task, act: Act): Promise<void> {
      if ((await openRoot(task.root, roots)) !== task.root)
        throw new GraceError('FORBIDDEN', `${task.root} leads elsewhere now`, { root: task.root });
      for (const { file, fromHash } of swapsOf(queue.patches(task.id), act)) {
        const now = await hashNow(task.root, file);
        if (now === null) throw new GraceError('CONFLICT', `${file} is gone, or lies behind a link now`, { file });
        if (now !== fromHash)
          throw new GraceError(
            'CONFLICT',
            act === 'apply'
              ? `${file} has changed since the patch was verified; submit the finding again`
              : `${file} has changed since the patch was applied; nothing was taken back`,
            { file },
          );
      }
    },
    /** @throws GraceError what `swapFiles` throws; then nothing is changed */
    async carryOut(task: Task, act: Act, by: string, decision: string, onRenamed?: () => void): Promise<Task> {
      if (underWay.has(task.id)) throw new GraceError('CONFLICT', `task "${task.id}" is being changed already`);
      underWay.add(task.id);
      try {
        ctx.store.transaction(() => begin.run(task.id, act, by, Math.round(ctx.clock.wallMs())));
        try {
          await swapFiles(task.root, task.id, swapsOf(queue.patches(task.id), act), onRenamed);
        } catch (error) {
          ctx.store.transaction(() => {
            end.run(task.id);
            record(task, act, by, (error as GraceError).code, { decision });
          });
          throw error;
        }
        return queue.move(task.id, ENDS[act], { note: by }, () => {
          end.run(task.id);
          record(task, act, by, 'ok', { decision });
          decide(task, act, by, decision);
        });
      } finally {
        underWay.delete(task.id);
        outbox.wake();
      }
    },
    refused(task: Task, act: Act, by: string, error: GraceError): void {
      ctx.store.transaction(() => record(task, act, by, error.code, { ...error.details }));
      outbox.wake();
    },
    /**
     * What a life before has begun. Where at least one file was changed and all others are as they were, it is finished: it was permitted.
     * Where none was, it is forgotten. Where somebody else has changed one meanwhile, what was changed is taken back.
     */
    async recover(): Promise<{ finished: number; takenBack: number }> {
      const sums = { finished: 0, takenBack: 0 };
      for (const { task: id, act, by } of unfinished.all() as { task: string; act: Act; by: string }[]) {
        const task = queue.get(id);
        const outcome = await settle(task, act);
        if (outcome === 'finished') sums.finished++;
        else sums.takenBack++;
        if (outcome === 'finished')
          queue.move(id, ENDS[act], { note: 'finished after a restart' }, () => {
            end.run(id);
            record(task, act, by, 'ok', { finished: 'after a restart' });
            decide(task, act, by, null);
          });
        else
          ctx.store.transaction(() => {
            end.run(id);
            record(task, act, by, 'taken back', { why: outcome });
          });
      }
      outbox.wake();
      return sums;
    },
  };

  async function settle(
    task: Task,
    act: Act,
  ): Promise<
    'finished' | 'nothing was changed' | 'somebody changed a file meanwhile' | 'the files could not be written'
  > {
    const swaps = swapsOf(queue.patches(task.id), act);
    await sweep(
      task.root,
      task.id,
      swaps.map(({ file }) => file),
    );
    const now = await Promise.all(swaps.map(({ file }) => hashNow(task.root, file)));
    const left = swaps.filter((swap, i) => now[i] === swap.fromHash);
    const done = swaps.filter((swap, i) => now[i] === swap.toHash);
    if (done.length === 0) return 'nothing was changed';
    const isOurs = left.length + done.length === swaps.length;
    try {
      if (isOurs) {
        await swapFiles(task.root, task.id, left);
        return 'finished';
      }
    } catch (error) {
      ctx.log.error('an unfinished change could not be finished; it is taken back', {
        task: task.id,
        error: (error as Error).message,
      });
    }
    const back = act === 'apply' ? 'revert' : 'apply';
    const files = new Set(done.map(({ file }) => file));
    try {
      await swapFiles(
        task.root,
        task.id,
        swapsOf(queue.patches(task.id), back).filter(({ file }) => files.has(file)),
      );
    } catch (error) {
      ctx.log.error('an unfinished change could not be taken back', { task: task.id, error: (error as Error).message });
      return 'the files could not be written';
    }
    return 'somebody changed a file meanwhile';
  }
}

function swapsOf(patches: readonly KeptPatch[], act: Act): Swap[] {
  return patches.map(({ file, exchanges, beforeHash, afterHash }) => {
    const to = (former: string): string => exchange(former, exchanges, act);
    return act === 'apply'
      ? { file, fromHash: beforeHash, toHash: afterHash, to }
      : { file, fromHash: afterHash, toHash: beforeHash, to };
  });
}
