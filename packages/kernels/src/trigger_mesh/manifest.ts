import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'trigger_mesh',
  title: 'Rules from events to actions: pattern, condition, window, correlation, cascade limit, circuit breaker',
  cell: 'edge',
  needs: ['message_bus'],
  probe: { deadlineMs: 3000 },
};
