import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'api_server',
  title: 'HTTP for the system: status, incidents, journal, events, reports, verbs and metrics, behind tokens and roles',
  cell: 'edge',
  needs: ['message_bus'],
  commands: ['status', 'incident', 'journal', 'verbs', 'call'],
  probe: { deadlineMs: 3000 },
  drainDeadlineMs: 5000,
};
