import { randomUUID } from 'node:crypto';
import type { Ingest } from './ingest.ts';
import type { SectionFound } from './search.ts';

export interface ProbeParts {
  ingest: Ingest;
  search(namespace: string, query: string, limit: number): Promise<SectionFound[]>;
  /** Takes the namespace out of library and memory again. */
  discard(namespace: string): Promise<void>;
}

/** What a section is about, and a question that only its text answers, not its heading. */
export const TOPICS: readonly (readonly [heading: string, text: string, question: string])[] = [
  ['Lighthouse', 'The lamp turns twice a minute and is seen for twenty sea miles.', 'how far is the turning lamp seen'],
  ['Orchard', 'Apples are picked in September and pressed the same evening.', 'when are apples picked and pressed'],
  [
    'Railway',
    'The night train couples a second engine before the mountain pass.',
    'second engine coupled at the mountain',
  ],
  ['Bakery', 'Sourdough rests for eighteen hours in a cool cellar.', 'hours that sourdough rests in the cellar'],
];

let turn = 0;

/**
 * Ingests a document of two sections (markdown, below the size that a thread is used for) in a namespace of its own and asks for one of
 * them: through split, store, memory_fusion and search, each time other sections.
 * @throws Error when another section comes first, or the pipeline fails
 */
export async function probeLibrary({ ingest, search, discard }: ProbeParts): Promise<Record<string, unknown>> {
  const run = randomUUID();
  const namespace = `probe/${run}`;
  const place = `probe-${run}.md`;
  const first = TOPICS[turn % TOPICS.length]!;
  const second = TOPICS[(turn + 1 + (Math.floor(turn / TOPICS.length) % (TOPICS.length - 1))) % TOPICS.length]!;
  const asked = turn % 2 === 0 ? second : first;
  turn++;
  try {
    const text = [first, second].map(([heading, body]) => `# ${heading}\n\n${body}\n`).join('\n');
    const { document, chunks } = await ingest({
      namespace,
      place,
      type: 'md',
      content: { text: `${text}\n<!-- ${run} -->\n` },
    });
    if (chunks !== 2) throw new Error(`a document of two sections became ${chunks} chunks`);
    const [found] = await search(namespace, asked[2], 2);
    if (found?.document !== document || found.section !== asked[0] || !found.text.includes(asked[1])) {
      throw new Error(
        `"${asked[2]}" led to ${found ? `section "${found.section}"` : 'nothing'} instead of "${asked[0]}"`,
      );
    }
    return { question: asked[2], section: found.section, score: found.score };
  } finally {
    await discard(namespace);
  }
}
