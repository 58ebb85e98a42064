import type { RunFacts } from '../model.ts';
import { utc } from '../text/units.ts';
import type { Journal } from './journal.ts';

export function runFacts(journal: Journal): RunFacts {
  const start = journal.last('run:start');
  const boot = journal.first('system:boot');
  const end = journal.of('run:end').find((record) => record.seq === journal.to);
  const first = start ?? journal.records[0];
  const lastRecord = journal.records.find((record) => record.seq === journal.to);
  const when = utc(first?.wallMs ?? null);
  const lags = journal.of('trial:end').map((record) => record.data.runnerLagMsMax);
  if (end) lags.push(end.data.runnerLagMsMax);
  const data = start?.data;
  return {
    id: data?.run ?? 'not recorded',
    seed: data?.seed ?? null,
    startedAt: when.iso,
    date: when.date,
    time: when.time,
    durationMs: first && lastRecord ? Math.round(lastRecord.monoMs - first.monoMs) : null,
    version: data?.version ?? boot?.data.version ?? 'not recorded',
    node: data?.node ?? boot?.data.node ?? 'not recorded',
    cores: data?.cores ?? boot?.data.cores ?? null,
    commit: data?.commit ?? null,
    dirty: data?.dirty ?? null,
    command: data?.command ?? '',
    runnerLagMsMax: most(lags),
    supervisorLagMsMax: most(journal.of('system:lag').map((record) => record.data.lagMs)),
    wavesPlanned: data?.waves ?? null,
    trialsPerScenario: data?.trials ?? null,
    scenarios: [...(data?.scenarios ?? [])],
    kernels: [...(boot?.data.kernels ?? [])],
    armed: boot?.data.armed ?? null,
    safeguardsOff: Object.entries(boot?.data.safeguards ?? {}).flatMap(([name, on]) => (on ? [] : [name])),
    enforcement: boot?.data.enforcement ?? null,
    interrupted: end?.data.interrupted ?? null,
    cleanup: end ? { ok: end.data.cleanup.ok, left: [...end.data.cleanup.left] } : null,
    records: {
      count: journal.records.length,
      first: journal.records[0]?.seq ?? null,
      last: journal.records.at(-1)?.seq ?? null,
    },
  };
}

function most(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((a, b) => Math.max(a, b));
}
