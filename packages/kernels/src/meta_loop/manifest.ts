import type { ManifestSource } from '@grace/contracts';

export const manifest: ManifestSource = {
  id: 'meta_loop',
  title:
    'Judges the loops that notice and repair: how fast, how rightly; proposes a bounded change of a knob, tries it with permission, takes back what did not help',
  cell: 'repair',
  needs: ['message_bus', 'governance'],
  commands: ['journal', 'tune'],
};
