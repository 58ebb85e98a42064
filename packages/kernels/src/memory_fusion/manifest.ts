import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'memory_fusion',
  title: 'remembers events, facts and documents; recalls them by full text and vectors, fused',
  cell: 'work',
  needs: ['message_bus'],
  criticality: 'standard',
  limits: { heapBytes: 256 * 1024 ** 2, messagesPerSecond: 5000 },
};
