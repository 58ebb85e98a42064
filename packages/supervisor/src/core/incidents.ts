import type { DetectorMethod, IncidentKind, KernelState } from '@grace/contracts';
import type { Draft } from './draft.ts';
import type { OpenIncident } from './state.ts';

const TITLES: Record<IncidentKind, (subject: string) => string> = {
  heartbeat_gap: (subject) => `the heartbeat of ${subject} stopped while its event loop turns`,
  kernel_hung: (subject) => `${subject} does not answer`,
  kernel_crash: (subject) => `the thread of ${subject} ended`,
  kernel_start_failed: (subject) => `${subject} did not start`,
  cell_crash: (subject) => `the host process of cell ${subject} ended`,
  cell_frozen: (subject) => `the host process of cell ${subject} does not move`,
  cpu_saturation: () => 'every core is busy',
  cpu_overload: (subject) => `${subject} uses all the CPU it may`,
  memory_pressure: (subject) => `${subject} grows towards its memory limit`,
  flooding: (subject) => `${subject} produces more than it may`,
  record_damaged: (subject) => `the record of ${subject} is not what was written`,
  queue_backlog: (subject) => `more waits for ${subject} than it takes`,
  acl_violation: (subject) => `${subject} publishes what it may not`,
  bus_unbalanced: () => 'the accounts of the bus do not add up',
  quarantine: (subject) => `${subject} is given up for now`,
};

const SEVERITY: Record<IncidentKind, 'low' | 'moderate' | 'high' | 'critical'> = {
  heartbeat_gap: 'low',
  kernel_hung: 'high',
  kernel_crash: 'high',
  kernel_start_failed: 'high',
  cell_crash: 'high',
  cell_frozen: 'high',
  cpu_saturation: 'moderate',
  cpu_overload: 'moderate',
  memory_pressure: 'high',
  flooding: 'moderate',
  record_damaged: 'high',
  queue_backlog: 'moderate',
  acl_violation: 'moderate',
  bus_unbalanced: 'high',
  quarantine: 'critical',
};

/** Opens an incident, or adds a further detector to the one that is open for the same subject and kind. Each method fires once per incident. */
export function openIncident(
  draft: Draft,
  kind: IncidentKind,
  subject: string,
  method: DetectorMethod,
  evidence: Record<string, unknown>,
): OpenIncident {
  const kernel = draft.state.kernels[subject];
  const correlation = kernel?.correlation ?? correlationOfCell(draft, subject);
  let incident = Object.values(draft.state.incidents).find((open) => open.kind === kind && open.subject === subject);
  const context = {
    ...(kernel ? { kernel: subject, cell: kernel.cell, incarnation: kernel.incarnation } : {}),
    ...(draft.state.cells[subject] ? { cell: subject } : {}),
  };
  if (!incident) {
    draft.state.incidentCount++;
    incident = {
      id: `${draft.state.incidentPrefix}-${draft.state.incidentCount}`,
      kind,
      subject,
      openedMono: draft.now,
      methods: [],
      correlation,
      waitsFor: [],
      calmSince: null,
    };
    draft.state.incidents[incident.id] = incident;
    draft.journal(
      {
        name: 'incident:open',
        ...context,
        data: {
          incident: {
            id: incident.id,
            kind,
            subject,
            ...(kernel ? { cell: kernel.cell, incarnation: kernel.incarnation, condition: kernel.condition } : {}),
            title: TITLES[kind](subject),
            severity:
              kernel?.manifest.criticality === 'critical' && SEVERITY[kind] === 'high' ? 'critical' : SEVERITY[kind],
            openedMono: draft.now,
            escalated: false,
            ...(correlation === undefined ? {} : { correlation }),
          },
        },
      },
      correlation,
    );
  }
  incident.calmSince = null;
  if (!incident.methods.includes(method)) {
    incident.methods = [...incident.methods, method];
    draft.journal(
      { name: 'detector:fire', ...context, data: { method, incident: incident.id, subject, evidence } },
      incident.correlation,
    );
  }
  return incident;
}

export function closeIncident(draft: Draft, id: string, outcome: string): void {
  const incident = draft.state.incidents[id];
  if (!incident) return;
  delete draft.state.incidents[id];
  draft.journal(
    {
      name: 'incident:close',
      ...(draft.state.kernels[incident.subject] ? { kernel: incident.subject } : {}),
      data: { id, outcome },
    },
    incident.correlation,
  );
  const kernel = draft.state.kernels[incident.subject];
  if (kernel?.state === 'running' && !hasOpen(draft, incident.subject)) kernel.correlation = undefined;
}

/** Closes what a ready kernel has settled. A lost cell is settled by `closeCellCrashes`. */
export function closeIncidentsOf(draft: Draft, kernelId: string, outcome: string): void {
  for (const incident of Object.values(draft.state.incidents))
    if (incident.subject === kernelId) closeIncident(draft, incident.id, outcome);
}

/** On its feet again, or down for a reason of its own. */
const SETTLED: ReadonlySet<KernelState> = new Set<KernelState>(['running', 'failed', 'quarantined', 'stopped']);

/** The crash of a cell is over when every kernel that was in it is ready again, wherever, or will not be. */
export function closeCellCrashes(draft: Draft): void {
  for (const incident of Object.values(draft.state.incidents)) {
    if (incident.kind !== 'cell_crash') continue;
    const records = incident.waitsFor.map((id) => draft.state.kernels[id]);
    if (records.some((kernel) => kernel?.wanted && !SETTLED.has(kernel.state))) continue;
    const up = records.filter((kernel) => kernel?.state === 'running').length;
    closeIncident(
      draft,
      incident.id,
      up === records.length
        ? 'all its kernels are ready again'
        : `${up} of its ${records.length} kernels are ready again`,
    );
    for (const id of incident.waitsFor) {
      const kernel = draft.state.kernels[id];
      if (kernel && !hasOpen(draft, id)) kernel.correlation = undefined;
    }
  }
}

export function hasOpen(draft: Draft, subject: string, kind?: IncidentKind): boolean {
  return Object.values(draft.state.incidents).some(
    (incident) => incident.subject === subject && (kind === undefined || incident.kind === kind),
  );
}

function correlationOfCell(draft: Draft, cell: string): string | undefined {
  if (!draft.state.cells[cell]) return undefined;
  for (const [, kernel] of draft.kernelsOf(cell)) if (kernel.correlation !== undefined) return kernel.correlation;
  return undefined;
}
