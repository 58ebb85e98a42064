import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'verification_framework',
  title: 'Rules that hold, are broken, or cannot be told: conditions around actions, and invariants on a timer',
  cell: 'core',
  needs: ['message_bus'],
  commands: ['status', 'incident'],
};
