import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'self_healing',
  title: 'Runs playbooks over open incidents: checks, acts, verifies that it holds, or says that it did not help',
  cell: 'repair',
  needs: ['message_bus', 'governance'],
  commands: ['restart', 'probe', 'status', 'incident'],
};
