import type { Memory } from './memory.ts';
import type { Library } from './store/library.ts';

export interface SectionFound {
  document: string;
  title: string;
  section: string;
  /** Where the document stands; `source` is this and the section, as memory_fusion knows it. */
  place: string;
  type: string;
  /** The part of the section that matched best. */
  text: string;
  score: number;
}

/** Memories asked for beyond the limit: several may lead to one section. */
const SPARE = 3;
const MOST = 100;

/** The sections nearest to a question, best first, each once. */
export async function search(
  library: Library,
  memory: Memory,
  namespace: string,
  query: string,
  limit: number,
): Promise<SectionFound[]> {
  const recalled = await memory.recall(namespace, query, Math.min(MOST, limit * SPARE));
  const found = new Map<string, SectionFound>();
  for (const { id, score } of recalled) {
    for (const { document, title, section, place, type, text } of library.origins(id)) {
      const key = `${document}\0${section}`;
      if (!found.has(key)) found.set(key, { document, title, section, place, type, text, score });
    }
  }
  return [...found.values()].slice(0, limit);
}
