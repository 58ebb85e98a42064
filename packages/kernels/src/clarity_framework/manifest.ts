import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'clarity_framework',
  title:
    'Who is there and on whose word; what was decided, by whom and why; explains incidents and decisions as causal stories',
  cell: 'core',
  needs: ['message_bus'],
  commands: ['status', 'incident'],
};
