import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'infrastructure_manager',
  title:
    'Counts what the system uses of the machine, and says when CPU, memory, disk or descriptors come under pressure',
  cell: 'core',
  needs: ['message_bus'],
  commands: ['status'],
};
