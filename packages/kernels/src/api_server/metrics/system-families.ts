import { type Incident, KERNEL_STATES, type StatusDocument } from '@grace/contracts';
import type { Family } from './exposition.ts';

const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);
const share = (percent: number | null): number | null => (percent === null ? null : percent / 100);

const SYSTEM_STATES = ['booting', 'running', 'degraded', 'stopping'] as const;

/** The system, its cells and kernels, as the supervisor tells of them. */
export function systemFamilies({ system, cells, kernels }: StatusDocument): Family[] {
  type Kernel = StatusDocument['kernels'][number];
  const perKernel = (
    name: string,
    help: string,
    value: (kernel: Kernel) => number | null,
    type: Family['type'] = 'gauge',
  ): Family => ({
    name: `grace_kernel_${name}`,
    help,
    type,
    samples: kernels.map((kernel) => ({ labels: { kernel: kernel.id }, value: value(kernel) })),
  });
  const one = (name: string, help: string, value: number | null, type: Family['type'] = 'gauge'): Family => ({
    name: `grace_${name}`,
    help,
    type,
    samples: [{ value }],
  });
  return [
    {
      name: 'grace_system_info',
      help: 'Version and enforced limits; always 1.',
      type: 'gauge',
      samples: [
        {
          labels: { version: system.version, cpu_limit: system.enforcement.cpu, armed: String(system.armed) },
          value: 1,
        },
      ],
    },
    {
      name: 'grace_system_state',
      help: 'State of the system: 1 for the one it is in.',
      type: 'gauge',
      samples: SYSTEM_STATES.map((state) => ({ labels: { state }, value: system.state === state ? 1 : 0 })),
    },
    one('system_uptime_seconds', 'Since the supervisor took over.', seconds(system.uptimeMs)),
    one('system_kernels', 'Kernels there are.', system.total),
    one('system_kernels_ready', 'Kernels that run.', system.ready),
    one('supervisor_lag_seconds', 'Latest a timer of the supervisor was.', seconds(system.lagMsMax)),
    one('journal_records_total', 'Records in the journal.', system.journalSeq, 'counter'),
    one('journal_refused_total', 'Records the disk refused.', system.journalRefused, 'counter'),
    {
      name: 'grace_cell_up',
      help: 'Whether the host process runs.',
      type: 'gauge',
      samples: cells.map(({ id, state }) => ({ labels: { cell: id }, value: state === 'online' ? 1 : 0 })),
    },
    {
      name: 'grace_cell_resident_bytes',
      help: 'Resident memory of the host process.',
      type: 'gauge',
      samples: cells.map(({ id, rssBytes }) => ({ labels: { cell: id }, value: rssBytes })),
    },
    {
      name: 'grace_cell_cpu_cores',
      help: 'Cores the host process uses.',
      type: 'gauge',
      samples: cells.map(({ id, cpuPercent }) => ({ labels: { cell: id }, value: share(cpuPercent) })),
    },
    perKernel('up', 'Whether it runs: its functional probe has answered.', ({ state }) =>
      state === 'running' ? 1 : 0,
    ),
    {
      name: 'grace_kernel_state',
      help: 'State of the kernel: 1 for the one it is in.',
      type: 'gauge',
      samples: kernels.flatMap(({ id, state }) =>
        KERNEL_STATES.map((name) => ({ labels: { kernel: id, state: name }, value: state === name ? 1 : 0 })),
      ),
    },
    perKernel('restarts_total', 'Restarts since boot.', ({ restarts }) => restarts, 'counter'),
    perKernel('ready_seconds', 'From the order to start to the first answered probe.', ({ readyMs }) =>
      seconds(readyMs),
    ),
    perKernel('cpu_cores', 'Share of one core its thread uses.', ({ cpuPercent }) => share(cpuPercent)),
    perKernel('heap_bytes', 'Heap of its thread.', ({ heapBytes }) => heapBytes),
    perKernel('external_bytes', 'Memory outside the heap.', ({ externalBytes }) => externalBytes),
    perKernel('event_loop_utilization', 'Share of time its event loop is busy.', ({ elu }) => elu),
    perKernel('heartbeat_age_seconds', 'Age of its heartbeat.', ({ heartbeatAgeMs }) => seconds(heartbeatAgeMs)),
    perKernel('probe_seconds', 'How long its last functional probe took.', ({ lastProbe }) =>
      lastProbe ? seconds(lastProbe.ms) : null,
    ),
    perKernel('cpu_cap_cores', 'Share of one core it is held to.', ({ cap }) => cap),
    perKernel('quarantined', 'Whether it is kept down.', ({ quarantined }) => (quarantined ? 1 : 0)),
  ];
}

/** Open incidents, by kind and severity. */
export function incidentFamilies(incidents: readonly Incident[]): Family[] {
  const open = new Map<string, { labels: { kind: string; severity: string }; value: number }>();
  for (const { kind, severity, closedMono } of incidents) {
    if (closedMono !== undefined) continue;
    const sample = open.get(`${kind} ${severity}`) ?? { labels: { kind, severity }, value: 0 };
    sample.value++;
    open.set(`${kind} ${severity}`, sample);
  }
  return [
    {
      name: 'grace_incidents_total',
      help: 'Incidents since boot.',
      type: 'counter',
      samples: [{ value: incidents.length }],
    },
    { name: 'grace_incidents_open', help: 'Incidents that are open.', type: 'gauge', samples: [...open.values()] },
  ];
}
