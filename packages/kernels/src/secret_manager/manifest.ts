import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'secret_manager',
  title: 'Encrypted vault: versions, leases, rotation, grants; every access is on the record',
  cell: 'core',
  needs: ['message_bus'],
  criticality: 'critical',
  probe: { deadlineMs: 3000 },
};
