import { didYouMean, GraceError, type Incident, type JournalRecord, type VerbMeta } from '@grace/contracts';
import { defineKernel, is, type KernelContext, readInput } from '@grace/kernel-sdk';
import { createBaselines } from './baselines.ts';
import { diagnose } from './diagnose.ts';
import { closeInterrupted, createHealer, type Healer } from './healer.ts';
import { createRunJournal } from './journal.ts';
import { readIncidents, type Subject } from './observe.ts';
import type { Playbook } from './playbook/types.ts';
import { probeEngine } from './probe.ts';
import { learnedAdvice } from './run/advice.ts';
import { askPermission, EMERGENCY } from './run/permission.ts';
import { loadPlaybooks } from './shelf.ts';

const RECONCILE_MS = 2000;
/** Left of a caller's deadline for the way back. */
const REPLY_MS = 250;

export default defineKernel({
  id: 'self_healing',
  async start(ctx) {
    const sources = is.optional(is.array(is.unknown(), { max: 1000 }))(ctx.config['playbooks'], 'config.playbooks');
    const reconcileMs =
      is.optional(is.number({ min: 50 }))(ctx.config['reconcileMs'], 'config.reconcileMs') ?? RECONCILE_MS;
    const names = is.optional(is.array(is.string({ max: 100 }), { max: 1000 }));
    const emergency = names(ctx.config['emergency'], 'config.emergency') ?? EMERGENCY;
    const { playbooks, invalid } = await loadPlaybooks((sources ?? []) as (string | Playbook)[]);
    for (const { file, error } of invalid) ctx.log.error('a playbook is not valid', { file, error });
    const journal = createRunJournal(ctx.store, ctx.clock);
    const interrupted = closeInterrupted(ctx, journal);
    const baselines = createBaselines();
    const healer = createHealer(ctx, playbooks, journal, baselines, askPermission(ctx, emergency), learnedAdvice(ctx));
    const reconciliation = watchIncidents(ctx, healer, reconcileMs);

    const named = (name: string): Playbook => {
      const found = playbooks.find(({ id }) => id === name);
      if (found) return found;
      const ids = playbooks.map(({ id }) => id);
      throw new GraceError('NOT_FOUND', `no playbook is called ${JSON.stringify(name)}${didYouMean(name, ids)}`, {
        ids,
      });
    };

    return {
      verbs: {
        diagnose(input) {
          const { incident } = readInput(input, { incident: is.string({ max: 200 }) });
          return diagnose(ctx, incident, playbooks, journal, baselines);
        },
        async run(input, meta: VerbMeta) {
          const asked = readRun(input);
          const playbook = named(asked.playbook);
          const { run, ended } = healer.run(playbook, await subjectOf(ctx, asked));
          const patience = AbortSignal.timeout(Math.max(1, meta.deadlineMs - REPLY_MS));
          const late = new Promise((resolve) => {
            patience.addEventListener('abort', () =>
              resolve({ run, outcome: null, detail: 'still running; see history' }),
            );
          });
          return Promise.race([ended, late]);
        },
        async dryRun(input) {
          const asked = readRun(input);
          return healer.dryRun(named(asked.playbook), await subjectOf(ctx, asked));
        },
        playbooks(input) {
          readInput(input, {});
          return { playbooks, invalid };
        },
        history(input) {
          const { limit } = readInput(input, { limit: is.optional(is.number({ min: 1, max: 2000, integer: true })) });
          return journal.history(limit ?? 50);
        },
        status(input) {
          readInput(input, {});
          return {
            playbooks: playbooks.map(({ id }) => id),
            emergency,
            source: sources === undefined ? 'no playbooks are configured' : `${sources.length} configured`,
            invalid,
            active: healer.active(),
            runs: journal.counts(),
            interrupted,
            reconciliation: reconciliation(),
          };
        },
      },
      probe: async () => ({ ...(await probeEngine(ctx)), playbooks: playbooks.length }),
      drain: () => healer.settled(),
    };
  },
});

/** Hears incidents open, and looks for open ones itself: now and on a timer. Returns what is known about that. */
function watchIncidents(ctx: KernelContext, healer: Healer, everyMs: number): () => Record<string, unknown> {
  const seen = { listening: false, rounds: 0, lastOkMono: null as number | null, lastError: null as string | null };
  let subscribing = false;
  const listen = async (): Promise<void> => {
    if (seen.listening || subscribing) return;
    subscribing = true;
    try {
      await ctx.bus.subscribe('system.events.incident.open', ({ payload }) => {
        const { data, wallMs } = payload as JournalRecord<'incident:open'>;
        const incident: Incident = { ...data.incident, openedWall: wallMs, detectors: [], events: [] };
        healer.consider(incident).catch((error: Error) => {
          ctx.log.error('an incident could not be considered', { incident: incident.id, error: error.message });
        });
      });
      seen.listening = true;
    } catch (error) {
      ctx.log.warn('incidents cannot be heard; they are looked for instead', { error: (error as Error).message });
    } finally {
      subscribing = false;
    }
  };
  const round = async (): Promise<void> => {
    // Not awaited: without a broker it takes its whole deadline, and looking must go on meanwhile.
    void listen();
    try {
      await healer.reconcile();
      seen.lastOkMono = ctx.clock.monoMs();
      seen.lastError = null;
    } catch (error) {
      seen.lastError = (error as Error).message;
    }
    seen.rounds += 1;
  };
  void round();
  ctx.every(everyMs, round);
  return () => ({ ...seen, everyMs });
}

interface RunInput {
  playbook: string;
  incident: string | undefined;
  target: string | undefined;
}

function readRun(input: unknown): RunInput {
  const asked = readInput(input, {
    playbook: is.string({ max: 100 }),
    incident: is.optional(is.string({ max: 200 })),
    target: is.optional(is.string({ max: 200 })),
  });
  if ((asked.incident === undefined) === (asked.target === undefined)) {
    throw new GraceError('BAD_INPUT', 'input: expected either incident or target');
  }
  return asked;
}

async function subjectOf(ctx: KernelContext, { incident: id, target }: RunInput): Promise<Subject> {
  if (id === undefined) return { target: target!, incident: null };
  const incident = (await readIncidents(ctx, id)).find((candidate) => candidate.id === id);
  if (!incident) throw new GraceError('UNKNOWN_INCIDENT', `no incident has the id ${JSON.stringify(id)}`, { id });
  return { target: incident.subject, incident };
}
