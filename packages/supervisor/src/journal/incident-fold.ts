import type { AnyRecord, Incident } from '@grace/contracts';

/** Incidents as the journal tells them: a fold, so anybody with the journal sees the same. Keeps the last `keep` closed ones. */
export function createIncidentFold(keep = 500): {
  take(record: AnyRecord): void;
  list(): Incident[];
  get(id: string): Incident | undefined;
} {
  const incidents = new Map<string, Incident>();
  const bySubject = (record: AnyRecord): Incident[] =>
    [...incidents.values()].filter(
      (incident) =>
        incident.closedMono === undefined &&
        (incident.subject === record.kernel ||
          incident.subject === record.cell ||
          (record.correlation !== undefined && incident.correlation === record.correlation)),
    );
  return {
    take(record) {
      switch (record.name) {
        case 'incident:open': {
          const { incident } = record.data;
          incidents.set(incident.id, {
            ...incident,
            openedWall: record.wallMs,
            openedMono: record.monoMs,
            detectors: [],
            events: [record.seq],
          });
          if (incidents.size > keep) {
            const oldest = [...incidents.values()].find((candidate) => candidate.closedMono !== undefined);
            if (oldest) incidents.delete(oldest.id);
          }
          return;
        }
        case 'detector:fire': {
          const incident = incidents.get(record.data.incident);
          incident?.detectors.push({
            method: record.data.method,
            atMono: record.monoMs,
            evidence: record.data.evidence,
          });
          incident?.events.push(record.seq);
          return;
        }
        case 'incident:escalate': {
          const incident = incidents.get(record.data.id);
          if (incident) {
            incident.escalated = true;
            incident.events.push(record.seq);
          }
          return;
        }
        case 'incident:close': {
          const incident = incidents.get(record.data.id);
          if (incident) {
            incident.closedMono = record.monoMs;
            incident.outcome = record.data.outcome;
            incident.events.push(record.seq);
          }
          return;
        }
        case 'playbook:start':
        case 'playbook:end':
          incidents.get(record.data.incident)?.events.push(record.seq);
          return;
        case 'kernel:state':
        case 'kernel:condition':
        case 'kernel:exit':
        case 'kernel:restart':
        case 'kernel:ready':
        case 'kernel:probe':
        case 'cell:exit':
        case 'cell:online':
        case 'bus:muted':
          for (const incident of bySubject(record)) if (incident.events.length < 200) incident.events.push(record.seq);
          return;
        default:
      }
    },
    list: () => [...incidents.values()],
    get: (id) => incidents.get(id),
  };
}
