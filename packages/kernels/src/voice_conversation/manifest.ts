import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'voice_conversation',
  title:
    'Spoken and typed sessions: cuts utterances out of audio, understands what is asked, and answers from live status',
  cell: 'work',
  needs: ['message_bus'],
  probe: { deadlineMs: 3000 },
};
