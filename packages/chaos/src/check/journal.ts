import { eventually } from '../observe/wait.ts';
import { CHECK_DEADLINE_MS, type CheckContext, type CheckResult } from './context.ts';

const poll = { deadlineMs: CHECK_DEADLINE_MS, everyMs: 100 };

export async function incidentOpened(context: CheckContext, kind: string | number | null): Promise<CheckResult> {
  const { records, target } = context;
  const subjects = [target.id, ...target.kernels];
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

export async function playbookRan({ records, variant }: CheckContext): Promise<CheckResult> {
  const { playbook } = variant.expect;
  const ends = async () =>
    (await records()).filter((record) => record.name === 'playbook:end').filter(({ data }) => data.playbook === playbook);
  const healed = await eventually(
    async () => (await ends()).find(({ data }) => data.outcome === 'healed') ?? null,
    poll,
  );
  const last = healed ?? (await ends()).at(-1);
  return {
    expected: `${playbook} healed`,
    observed: last ? `#${last.seq} ${last.data.outcome}: ${last.data.detail}` : `${playbook} did not end`,
    ok: healed !== null,
  };
}
