import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'coding_agent',
  title: 'scans source, queues tasks, proposes and verifies patches, applies them as policies allow, with undo',
  cell: 'repair',
  needs: ['message_bus', 'governance'],
  // The probe's thread may have to be started, and loads a compiler now and then.
  probe: { intervalMs: 15_000, deadlineMs: 15_000 },
};
