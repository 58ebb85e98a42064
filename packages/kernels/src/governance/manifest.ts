import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'governance',
  title:
    'Decides by policy: permit, forbid or needs approval; keeps approvals and drill permits; every decision is audited',
  cell: 'core',
  needs: ['message_bus'],
  criticality: 'critical',
};
