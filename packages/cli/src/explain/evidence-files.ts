import type { EvidenceKind } from '@grace/contracts';
import { mineOf, type Scene } from './scene.ts';
import type { EvidenceFile } from './story.ts';

export const EVIDENCE_WORDS: Record<EvidenceKind, string> = {
  stack: 'stack',
  cpu_profile: 'CPU profile',
  heap_profile: 'heap profile',
  heap_statistics: 'heap statistics',
  error: 'error',
  cell_output: 'last output of the cell',
};

/** The files that were kept. */
export function evidenceOf(scene: Pick<Scene, 'mine'>): EvidenceFile[] {
  return mineOf(scene, 'kernel:evidence').map(({ seq, data: { kind, file, bytes, top } }) => ({
    kind,
    file,
    bytes,
    top,
    event: seq,
  }));
}
