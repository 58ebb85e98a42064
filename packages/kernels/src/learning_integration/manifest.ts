import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'learning_integration',
  title:
    'Learns from outcomes: how often each playbook heals what, which to try next, and drafts from repeated manual fixes',
  cell: 'repair',
  needs: ['message_bus'],
  commands: ['journal', 'incident'],
};
