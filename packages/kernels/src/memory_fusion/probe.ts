import { randomUUID } from 'node:crypto';
import type { Recalled } from './recall/recall.ts';

/** What the probe needs: the verbs themselves, and the means to make recall read from the disk. */
export interface ProbeVerbs {
  remember(input: unknown): Promise<{ id: string }>;
  recall(input: unknown): Promise<Recalled[]>;
  forget(input: unknown): Promise<unknown>;
  /** Drops a namespace's vectors from memory, so that recall has to read what was stored. */
  unload(namespace: string): void;
}

/** A sentence and the same said otherwise: other order, other inflection, words of the same stem. The sentences are each other's distractors. */
export const PARAPHRASES: readonly (readonly [sentence: string, paraphrase: string])[] = [
  [
    'The supervisor restarts a crashed kernel after its back-off delay.',
    'delayed restarting of kernels that crash, by supervision',
  ],
  [
    'Each cell samples the memory and the processor time of its threads.',
    'sampling how much processing and memories a thread in cells takes',
  ],
  [
    'A muted principal may publish again when the period has ended.',
    'publishing by principals once the end of muting came',
  ],
  [
    'The scheduler runs a missed job once after the clock jumped.',
    'a jump of clocks: scheduled jobs that were missing run',
  ],
  [
    'Backups of the vault are encrypted before they leave the machine.',
    'encryption of vault backup files leaving machines',
  ],
  ['Dashboards show incidents grouped by the cause that was found.', 'grouping incidents on a dashboard by causes'],
];

let turn = 0;

/**
 * Remembers sentences in a namespace of its own and recalls one of them by a paraphrase; a different one each time.
 * @throws Error when another comes first, or when either of the two rankings did not find it
 */
export async function probeMemory(verbs: ProbeVerbs): Promise<Record<string, unknown>> {
  const namespace = `probe/${randomUUID()}`;
  const asked = turn++ % PARAPHRASES.length;
  try {
    const kept = await Promise.all(
      PARAPHRASES.map(([text]) => verbs.remember({ text, namespace, kind: 'fact', source: 'probe' })),
    );
    verbs.unload(namespace);
    const [sentence, paraphrase] = PARAPHRASES[asked]!;
    const [first] = await verbs.recall({ query: paraphrase, namespace, limit: 3 });
    if (first?.id !== kept[asked]!.id || first.text !== sentence) {
      throw new Error(`"${paraphrase}" recalled ${first ? `"${first.text}"` : 'nothing'} instead of "${sentence}"`);
    }
    if (first.parts.text === 0) throw new Error(`full text did not find "${sentence}"`);
    if (first.parts.vector === 0) throw new Error(`vectors did not find "${sentence}"`);
    return { paraphrase, recalled: first.text, score: first.score };
  } finally {
    await verbs.forget({ namespace });
  }
}
