import { readFile } from 'node:fs/promises';
import { GraceError } from '@grace/contracts';
import type { Playbook } from './playbook/types.ts';

/** The playbooks in force, and the files that could not be read as one. */
export interface Shelf {
  playbooks: Playbook[];
  invalid: { file: string; error: string }[];
}

/**
 * Loads playbooks, in the order of their ids: those that the composition root has checked already as they are, files by path. One bad file
 * never takes the others with it.
 */
export async function loadPlaybooks(sources: readonly (string | Playbook)[]): Promise<Shelf> {
  const shelf: Shelf = { playbooks: [], invalid: [] };
  for (const source of sources) {
    const file = typeof source === 'string' ? source : source.id;
    try {
      const playbook = typeof source === 'string' ? await readPlaybook(source) : source;
      if (shelf.playbooks.some(({ id }) => id === playbook.id)) {
        throw new GraceError(
          'PLAYBOOK_INVALID',
          `${file}: expected ids that differ, got "${playbook.id}" for the second time`,
        );
      }
      shelf.playbooks.push(playbook);
    } catch (error) {
      shelf.invalid.push({ file, error: (error as Error).message });
    }
  }
  shelf.playbooks.sort((a, b) => (a.id < b.id ? -1 : 1));
  return shelf;
}

/** The validator is heavy, and only files need it. */
async function readPlaybook(file: string): Promise<Playbook> {
  const { parsePlaybook } = await import('./playbook/parse.ts');
  return parsePlaybook(await readFile(file, 'utf8'), file);
}
