import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'immutable_log',
  title: 'Tamper-evident audit record: hash-linked, durable before it is acknowledged',
  cell: 'core',
  needs: ['message_bus'],
  criticality: 'critical',
  probe: { deadlineMs: 2000 },
  drainDeadlineMs: 3000,
};
