import type { JournalRecord } from '@grace/contracts';
import { eventually } from '../observe/wait.ts';
import { withheldBetween } from '../verdict/withheld.ts';
import { CHECK_DEADLINE_MS, type CheckContext, type CheckResult } from './context.ts';

const poll = { deadlineMs: CHECK_DEADLINE_MS, everyMs: 100 };

export async function incidentOpened(context: CheckContext, kind: string | number | null): Promise<CheckResult> {
  const { records, target } = context;
  const subjects = [target.id, ...target.kernels, ...target.also];
  const record = await eventually(
    async () =>
      (await records()).find(
        (record) =>
          record.name === 'incident:open' &&
          record.data.incident.kind === kind &&
          subjects.includes(record.data.incident.subject),
      ) ?? null,
    poll,
  );
  return {
    expected: `an incident ${kind} of ${subjects.join(' or ')}`,
    observed: record?.name === 'incident:open' ? `#${record.seq} ${record.data.incident.id}` : 'no such incident',
    ok: record !== null,
  };
}

export async function conditionNamed(
  { records, target }: CheckContext,
  condition: string | number | null,
): Promise<CheckResult> {
  const named = async (): Promise<JournalRecord<'kernel:condition'>[]> =>
    (await records())
      .filter((record) => record.name === 'kernel:condition')
      .filter(({ kernel }) => kernel === target.id);
  const record = await eventually(async () => (await named()).find(({ data }) => data.to === condition) ?? null, poll);
  const others = record ? [] : (await named()).map(({ seq, data }) => `#${seq} ${data.to}`);
  return {
    expected: `${target.id} judged ${condition}`,
    observed: record
      ? `#${record.seq} ${record.data.to}, confidence ${record.data.confidence}`
      : others.join(', ') || 'no condition was named',
    ok: record !== null,
  };
}

/** A cell is given this long for a stack, ms; where the machine withheld half of it, that none came says nothing. */
const STACK_MS = 2000;

/** Evidence is kept beside what is done about the incident, so it may come a moment later. */
export async function stackNames(
  { records, target, withheld }: CheckContext,
  name: string | number | null,
): Promise<CheckResult> {
  const stacks = async (): Promise<JournalRecord<'kernel:evidence'>[]> =>
    (await records())
      .filter((record) => record.name === 'kernel:evidence')
      .filter(({ kernel, data }) => kernel === target.id && data.kind === 'stack');
  const names = ({ data }: JournalRecord<'kernel:evidence'>): boolean =>
    data.top.some((line) => line.includes(String(name)));
  const record = await eventually(async () => (await stacks()).find(names) ?? null, poll);
  const last = record ?? (await stacks()).at(-1);
  const withheldMs = last ? withheldBetween(withheld(), last.monoMs - STACK_MS, last.monoMs) : 0;
  const isExcused = record === null && withheldMs >= STACK_MS / 2;
  const seen = last ? `#${last.seq} ${last.data.file}: ${last.data.top.slice(0, 3).join(' < ')}` : 'no stack was kept';
  return {
    expected: `a stack of ${target.id} that names ${name}`,
    observed: isExcused ? `${seen}; the machine withheld ${Math.round(withheldMs)} ms just before` : seen,
    ok: isExcused ? null : record !== null,
  };
}

/** A playbook ends only when its post-condition has held, so it is waited for longer. */
const PLAYBOOK_DEADLINE_MS = 8000;

export async function playbookRan({ records, variant, target }: CheckContext): Promise<CheckResult> {
  const { playbook } = variant.expect;
  const subjects = [target.id, ...target.kernels, ...target.also];
  const ends = async (): Promise<JournalRecord<'playbook:end'>[]> => {
    const all = await records();
    const incidents = all
      .filter((record) => record.name === 'incident:open')
      .filter(({ data }) => subjects.includes(data.incident.subject))
      .map(({ data }) => data.incident.id);
    return all
      .filter((record) => record.name === 'playbook:end')
      .filter(({ data }) => data.playbook === playbook && incidents.includes(data.incident));
  };
  const isHealed = ({ data }: JournalRecord<'playbook:end'>): boolean => data.outcome === 'healed';
  const healed = await eventually(async () => (await ends()).find(isHealed) ?? null, {
    deadlineMs: PLAYBOOK_DEADLINE_MS,
    everyMs: 150,
  });
  const last = healed ?? (await ends()).at(-1);
  return {
    expected: `${playbook} healed`,
    observed: last ? `#${last.seq} ${last.data.outcome}: ${last.data.detail}` : `${playbook} did not end`,
    ok: healed !== null,
  };
}
