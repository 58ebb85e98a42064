import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'scheduler',
  title: 'Cron, intervals and one-shots; each due time runs exactly once, also over restarts and clock changes',
  cell: 'edge',
  needs: ['message_bus'],
  probe: { deadlineMs: 3000 },
};
