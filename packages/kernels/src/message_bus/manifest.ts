import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'message_bus',
  title: 'Routes messages between kernels, and lets nobody say what it may not',
  cell: 'core',
  criticality: 'critical',
};
