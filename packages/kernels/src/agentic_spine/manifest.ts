import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'agentic_spine',
  title:
    'From a goal to a plan to verbs of other kernels: permitted, journaled, verified, and taken back when it fails',
  cell: 'work',
  // The probe's goal goes through these; while one of them is away, a failed probe is not held against this kernel.
  needs: ['message_bus', 'governance', 'memory_fusion'],
  probe: { intervalMs: 10_000, deadlineMs: 5000 },
  commands: ['status', 'incident', 'verbs'],
};
