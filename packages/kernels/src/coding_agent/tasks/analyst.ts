import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Outbox } from '../access/outbox.ts';
import type { Candidate, Proof, RepairTask } from '../change/candidate.ts';
import { runCheck } from '../change/check-run.ts';
import { changedLines, unifiedDiff } from '../change/diff.ts';
import { hash } from '../scan/finding.ts';
import type { Settings } from '../settings.ts';
import { isInside } from '../tree/place.ts';
import type { Workshop } from '../workshop/workshop.ts';
import type { TaskQueue } from './queue.ts';
import type { Change, Check, Task } from './task.ts';

const CANDIDATES_MAX = 5;
const FILES_MAX = 50;
const DIFF_LENGTH = 200_000;

export type Analyst = ReturnType<typeof createAnalyst>;

/** Takes tasks from the queue, one at a time: looks for a fix, proves it, and leaves a patch that may be applied. */
export function createAnalyst(parts: {
  ctx: KernelContext;
  queue: TaskQueue;
  workshop: Workshop;
  settings: Settings;
  outbox: Outbox;
  copies: string;
  boundsOf(): Promise<readonly string[]>;
}) {
  const { ctx, queue, workshop, settings, outbox, copies, boundsOf } = parts;
  let running: Promise<void> | undefined;

  const analyse = async (task: Task): Promise<void> => {
    const asked: RepairTask = {
      ...limitsOf(settings),
      root: task.root,
      bounds: await boundsOf(),
      signature: task.signature,
      file: task.finding.file,
      scope: task.scope,
    };
    const { finding, candidates } = await workshop.run('propose', asked, ctx.signal);
    if (!finding)
      throw new GraceError('NOT_FOUND', 'the finding is not there any more: somebody has mended or changed it');
    const able = candidates
      .filter(({ confidence, files }) => confidence >= settings.minConfidence && files.length <= FILES_MAX)
      .slice(0, CANDIDATES_MAX);
    const [first] = able;
    if (!first) {
      const least = candidates[0]
        ? `; ${candidates[0].strategy} is not sure enough (${candidates[0].confidence.toFixed(2)})`
        : '';
      throw new GraceError('NOT_FOUND', `no strategy knows a fix for ${finding.rule} here${least}`);
    }
    queue.move(task.id, 'proposed', { change: changeOf(task, first, null, null) }, () =>
      queue.keepPatches(task.id, first.files),
    );

    const refused: string[] = [];
    for (const candidate of able) {
      const proof = await workshop.run('prove', { ...asked, finding, candidate }, ctx.signal);
      const check = isProven(proof) ? await ownCheck(task, candidate) : null;
      const why = refusal(proof, check);
      if (why === null) {
        const change = changeOf(task, candidate, proof, check);
        queue.move(task.id, 'verified', { change, note: candidate.strategy }, () => {
          queue.keepPatches(task.id, candidate.files);
          outbox.decision(decisionOf(task, change, able, refused));
        });
        outbox.wake();
        return;
      }
      refused.push(`${candidate.strategy}: ${why}`);
    }
    throw new GraceError('CONFLICT', `no candidate holds: ${refused.join('; ')}`);
  };

  const ownCheck = async (task: Task, { files }: Candidate): Promise<Check | null> => {
    const check = settings.checks.find(({ folder }) =>
      files.some(({ file }) => isInside(`${task.root}/${file}`, folder)),
    );
    return check ? await runCheck(check, task.root, files, copies, ctx.signal) : null;
  };

  const work = async (): Promise<void> => {
    for (let task = queue.next(); task && !ctx.signal.aborted; task = queue.next()) {
      const { id } = task;
      queue.move(id, 'analysing');
      try {
        await analyse(task);
      } catch (error) {
        // What stopped because the kernel stops is found as `analysing` by the next life, and begins again.
        if (ctx.signal.aborted) return;
        const { code, message } = error instanceof GraceError ? error : { code: 'INTERNAL', message: String(error) };
        queue.move(id, 'failed', { error: `${code}: ${message}`.slice(0, 2000), note: code });
      }
    }
  };

  return {
    wake(): void {
      if (ctx.signal.aborted) return;
      running ??= work()
        .catch((error: Error) => ctx.log.error('the queue of tasks stopped', { error: error.message }))
        .finally(() => {
          running = undefined;
        });
    },
    async settled(): Promise<void> {
      await running;
    },
  };
}

export function limitsOf({ maxFiles, maxBytes, maxFileBytes, ruff }: Settings) {
  return { maxFiles, maxBytes, maxFileBytes, ruff };
}

function isProven({ isGone, fresh }: Proof): boolean {
  return isGone && fresh.length === 0;
}

function refusal(proof: Proof, check: Check | null): string | null {
  if (!proof.isGone) return 'the finding would still be there';
  if (proof.fresh.length > 0) return `there would be new findings: ${proof.fresh.slice(0, 3).join('; ')}`;
  if (check && check.exitCode !== 0)
    return `"${check.command.join(' ').slice(0, 100)}" ended with ${check.exitCode}: ${check.output.slice(-300)}`;
  return null;
}

export function changeOf(
  task: Pick<Task, 'id'>,
  candidate: Candidate,
  proof: Proof | null,
  check: Check | null,
): Change {
  const { strategy, reason, confidence, files } = candidate;
  const diff = files.map(({ file, before, after }) => unifiedDiff(file, before, after, 0)).join('');
  const exactly = hash(
    files.map(({ file, beforeHash, afterHash }) => `${file}\0${beforeHash}\0${afterHash}`).join('\n'),
  );
  return {
    id: `${task.id}@${exactly.slice(0, 16)}`,
    strategy,
    reason,
    confidence,
    files: files.map(({ file }) => file),
    lines: changedLines(diff),
    diff:
      diff.length > DIFF_LENGTH
        ? `${diff.slice(0, DIFF_LENGTH)}\n… ${diff.length - DIFF_LENGTH} more characters\n`
        : diff,
    proof,
    check,
  };
}

function decisionOf(task: Task, change: Change, able: readonly Candidate[], refused: readonly string[]) {
  return {
    what: `propose ${change.strategy} for ${task.finding.rule} in ${task.finding.file}`.slice(0, 500),
    why: `${change.reason} ${change.proof?.how ?? ''}`.slice(0, 1000),
    where: task.finding.file.slice(0, 200),
    how: 'a patch that waits to be applied',
    confidence: change.confidence,
    alternatives: able
      .filter(({ strategy }) => strategy !== change.strategy)
      .slice(0, 5)
      .map(({ strategy }) => ({
        what: strategy,
        whyNot: (refused.find((one) => one.startsWith(`${strategy}: `)) ?? 'less trusted').slice(0, 300),
      })),
    correlation: task.id,
  };
}
