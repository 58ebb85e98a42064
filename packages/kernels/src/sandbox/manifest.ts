import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'sandbox',
  title: 'runs what is not trusted: snippets in QuickJS, commands in a confined process, both with limits',
  cell: 'work',
  needs: ['message_bus'],
  // The probe waits for an endless loop to be ended, and for a thread of the pool.
  probe: { intervalMs: 10_000, deadlineMs: 10_000 },
};
