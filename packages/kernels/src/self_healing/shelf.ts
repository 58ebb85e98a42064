import { readFile } from 'node:fs/promises';
import { GraceError } from '@grace/contracts';
import type { Playbook } from './playbook/types.ts';

/** The playbooks in force, and the files that could not be read as one. */
export interface Shelf {
  playbooks: Playbook[];
  invalid: { file: string; error: string }[];
}

/** Loads playbook files, in the order of their ids. One bad file never takes the others with it. */
export async function loadPlaybooks(files: readonly string[]): Promise<Shelf> {
  if (files.length === 0) return { playbooks: [], invalid: [] };
  // The validator is heavy, and only this path needs it.
  const { parsePlaybook } = await import('./playbook/parse.ts');
  const shelf: Shelf = { playbooks: [], invalid: [] };
  for (const file of files) {
    try {
      const playbook = parsePlaybook(await readFile(file, 'utf8'), file);
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
