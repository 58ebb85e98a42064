import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'health_monitor',
  title:
    'Probes kernels, addresses and processes on schedules; keeps service level objectives; answers whether the system is well',
  cell: 'core',
  needs: ['message_bus'],
  commands: ['verbs'],
};
