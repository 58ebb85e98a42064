import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Baselines } from './baselines.ts';
import type { RunJournal } from './journal.ts';
import { observe, readIncidents } from './observe.ts';
import { perform } from './perform.ts';
import { evaluate } from './playbook/clause.ts';
import type { FactGroup } from './playbook/facts.ts';
import type { Playbook } from './playbook/types.ts';
import { admit } from './run/guard.ts';

const ALL_GROUPS: ReadonlySet<FactGroup> = new Set(['incident', 'target', 'neighbours', 'principal', 'system']);
const PROBE_DEADLINE_MS = 2000;

/** What is known about an incident: facts now, a probe of its kernel, and for each playbook whether it answers to it, and why not. */
export async function diagnose(
  ctx: KernelContext,
  id: string,
  playbooks: readonly Playbook[],
  journal: RunJournal,
  baselines: Baselines,
): Promise<Record<string, unknown>> {
  const incident = (await readIncidents(ctx, id)).find((candidate) => candidate.id === id);
  if (!incident) throw new GraceError('UNKNOWN_INCIDENT', `no incident has the id ${JSON.stringify(id)}`, { id });
  const target = incident.subject;
  const facts = await observe(ctx, { target, incident }, ALL_GROUPS, baselines);
  const probe = facts['target']?.['known'] === true ? await probeNow(ctx, target) : null;
  const scope = { ...facts, before: facts, run: { id: '', target } };
  const candidates = playbooks.map((playbook) => ({
    playbook: playbook.id,
    triggered: playbook.trigger.includes(incident.kind),
    conditions: playbook.conditions.map((clause) => evaluate(clause, scope)),
    guard: admit(playbook.id, playbook.guards, target, journal.past(target), ctx.clock.monoMs()),
    outcomes: journal.of(id, playbook.id),
  }));
  const fitting = candidates.find((one) => one.triggered && one.conditions.every(({ truth }) => truth === true));
  return { incident, target, facts, probe, playbooks: candidates, playbook: fitting?.playbook ?? null };
}

async function probeNow(ctx: KernelContext, kernel: string): Promise<{ ok: boolean; detail: string }> {
  try {
    const { detail } = await perform(
      ctx,
      { kind: 'probe', kernel },
      { target: kernel, correlation: '' },
      PROBE_DEADLINE_MS,
    );
    return { ok: true, detail };
  } catch (error) {
    return { ok: false, detail: (error as Error).message };
  }
}
