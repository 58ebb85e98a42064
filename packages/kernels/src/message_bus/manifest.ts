import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'message_bus',
  title: 'routes messages between kernels, and lets nobody say what it may not',
  cell: 'core',
  criticality: 'critical',
};
