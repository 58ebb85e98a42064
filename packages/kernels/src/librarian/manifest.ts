import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'librarian',
  title: 'reads and watches documents, splits them by structure, summarises them and files them in memory',
  cell: 'work',
  needs: ['message_bus', 'memory_fusion'],
  criticality: 'standard',
  limits: { heapBytes: 256 * 1024 ** 2, messagesPerSecond: 5000 },
};
