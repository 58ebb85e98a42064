import { randomUUID } from 'node:crypto';
import type { Incident, PlaybookOutcome } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Baselines } from './baselines.ts';
import type { RunJournal } from './journal.ts';
import { observe, readIncidents, readStatus, type Subject } from './observe.ts';
import { perform } from './perform.ts';
import { createPicker } from './pick.ts';
import { groupsOf } from './playbook/facts.ts';
import type { Playbook } from './playbook/types.ts';
import type { Advice } from './run/advice.ts';
import { drive, type RunEnd } from './run/drive.ts';
import { admit } from './run/guard.ts';
import type { AskPermission, Permission } from './run/permission.ts';
import { rehearse } from './run/rehearse.ts';

/** Runs at one moment; further incidents wait for the next reconciliation. */
const MAX_ACTIVE = 8;

interface Ended {
  run: string;
  playbook: string;
  target: string;
  outcome: PlaybookOutcome;
  detail: string;
  steps: RunEnd['steps'];
}

/** Starts runs: for incidents that open, for those found open, and by hand. One at a time per target. */
export interface Healer {
  /** Starts a playbook that answers to the incident, if its target is free: of several, the advised one. Resolves when that run has ended. */
  consider(incident: Incident): Promise<void>;
  /** Compares what should be (no open incident) with what is, so that a missed event heals itself. */
  reconcile(): Promise<void>;
  run(playbook: Playbook, subject: Subject): { run: string; ended: Promise<Ended> };
  dryRun(playbook: Playbook, subject: Subject): Promise<Record<string, unknown>>;
  active(): { run: string; playbook: string; target: string }[];
  /** Resolves when every run has ended. */
  settled(): Promise<void>;
}

export function createHealer(
  ctx: KernelContext,
  playbooks: readonly Playbook[],
  journal: RunJournal,
  baselines: Baselines,
  ask: AskPermission,
  advice: Advice,
): Healer {
  const active = new Map<string, { run: string; playbook: string; target: string }>();
  const ends = new Set<Promise<unknown>>();
  const considering = new Set<string>();
  const pick = createPicker(ctx, { playbooks, journal, baselines, ask, advice });

  const begin = (playbook: Playbook, subject: Subject, run: string, dryRun: boolean): string => {
    const correlation = subject.incident?.correlation ?? (subject.incident?.id || run);
    const { target } = subject;
    const incident = subject.incident?.id ?? '';
    const times = { startedWall: ctx.clock.wallMs(), startedMono: ctx.clock.monoMs() };
    journal.open({ run, playbook: playbook.id, incident, target, correlation, dryRun, ...times });
    ctx.supervisor.report({
      name: 'playbook:start',
      correlation,
      data: { run, playbook: playbook.id, incident, target, dryRun },
    });
    return correlation;
  };

  const finish = (playbook: Playbook, subject: Subject, run: string, correlation: string, end: RunEnd): Ended => {
    journal.close(run, end.outcome, end.detail);
    const { incident } = subject;
    reportEnd(ctx, correlation, { run, playbook: playbook.id, incident: incident?.id ?? '' }, end);
    if (incident) advice.tell({ run, playbook: playbook.id, incident }, end);
    return {
      run,
      playbook: playbook.id,
      target: subject.target,
      outcome: end.outcome,
      detail: end.detail,
      steps: end.steps,
    };
  };

  /** @param asked what governance said already; else it is asked now */
  const start = (playbook: Playbook, subject: Subject, asked?: Permission): { run: string; ended: Promise<Ended> } => {
    const run = randomUUID();
    const { target } = subject;
    const admission = admit(playbook.id, playbook.guards, target, journal.past(target), ctx.clock.monoMs());
    const correlation = begin(playbook, subject, run, false);
    if (!admission.admitted) {
      const end: RunEnd = { outcome: 'refused', detail: admission.reason, steps: [], ms: 0 };
      return { run, ended: Promise.resolve(finish(playbook, subject, run, correlation, end)) };
    }
    active.set(target, { run, playbook: playbook.id, target });
    const groups = groupsOf(playbook);
    const steps: RunEnd['steps'] = [];
    const runs = (): Promise<RunEnd> =>
      drive({
        id: run,
        playbook,
        target,
        clock: ctx.clock,
        signal: ctx.signal,
        world: {
          observe: () => observe(ctx, subject, groups, baselines),
          act: (action, deadlineMs) => perform(ctx, action, { target, correlation }, deadlineMs),
        },
        onStep(report) {
          steps.push(report);
          journal.step(run, steps);
          ctx.supervisor.report({ name: 'playbook:step', correlation, data: { run, ...report } });
        },
      });
    const ended = Promise.resolve(asked ?? ask(playbook, subject))
      .then((permission) =>
        permission.granted ? runs() : { outcome: 'refused' as const, detail: permission.reason, steps, ms: 0 },
      )
      .then((end) => finish(playbook, subject, run, correlation, end))
      .finally(() => {
        active.delete(target);
        ends.delete(ended);
      });
    ends.add(ended);
    return { run, ended };
  };

  const healer: Healer = {
    async consider(incident) {
      const { subject: target } = incident;
      if (active.has(target) || considering.has(target) || active.size + considering.size >= MAX_ACTIVE) return;
      considering.add(target);
      let ended: Promise<Ended> | undefined;
      try {
        const chosen = await pick(incident);
        if (!chosen || active.has(target) || ctx.signal.aborted) return;
        ({ ended } = start(chosen.playbook, { target, incident }, chosen.permission));
      } finally {
        considering.delete(target);
      }
      await ended;
    },
    async reconcile() {
      const [status, incidents] = await Promise.all([readStatus(ctx), readIncidents(ctx)]);
      if (ctx.signal.aborted) return;
      const open = incidents.filter((incident) => incident.closedMono === undefined);
      baselines.take(status, ctx.clock.monoMs());
      for (const incident of open) {
        healer.consider(incident).catch((error: Error) => {
          ctx.log.error('an incident could not be considered', { incident: incident.id, error: error.message });
        });
      }
    },
    run: start,
    async dryRun(playbook, subject) {
      const run = randomUUID();
      const correlation = begin(playbook, subject, run, true);
      const { target } = subject;
      const startedMono = ctx.clock.monoMs();
      const guard = admit(playbook.id, playbook.guards, target, journal.past(target), startedMono);
      const facts = await observe(ctx, subject, groupsOf(playbook), baselines);
      const plan = rehearse(playbook, { ...facts, before: facts, run: { id: run, target } });
      const detail = `would take ${plan.steps.filter((step) => step.would === true).length} of ${plan.steps.length} steps as things are`;
      finish(playbook, subject, run, correlation, {
        outcome: 'dry run',
        detail,
        steps: [],
        ms: ctx.clock.monoMs() - startedMono,
      });
      return { run, playbook: playbook.id, target, outcome: 'dry run', detail, guard, ...plan };
    },
    active: () => [...active.values()],
    async settled() {
      await Promise.allSettled([...ends]);
    },
  };
  return healer;
}

/** Closes what a `kill -9` or crash cut off: nobody knows how far it came, so it did not heal. */
export function closeInterrupted(ctx: KernelContext, journal: RunJournal): number {
  const cut = journal.unfinished();
  for (const { run, playbook, incident, correlation, steps } of cut) {
    const end: RunEnd = { outcome: 'not healed', detail: 'interrupted: self_healing ended while it ran', steps, ms: 0 };
    journal.close(run, end.outcome, end.detail);
    reportEnd(ctx, correlation, { run, playbook, incident }, end);
  }
  return cut.length;
}

function reportEnd(
  ctx: KernelContext,
  correlation: string,
  about: { run: string; playbook: string; incident: string },
  { outcome, ms, detail }: RunEnd,
): void {
  ctx.supervisor.report({ name: 'playbook:end', correlation, data: { ...about, outcome, ms, detail } });
}
