/** Where a statement leads back to. */
export type Link =
  /** Journal record. */
  | { record: number }
  /** Entry of the audit record. */
  | { audit: number }
  | { incident: string }
  | { decision: string };

export interface Sentence {
  /** Wall time, ms; null: it is about no moment. */
  atMs: number | null;
  text: string;
  links: Link[];
  /** False: it says what could not be established. */
  established: boolean;
}

export interface Story {
  kind: 'incident' | 'decision';
  id: string;
  title: string;
  /** Of an incident; of a decision: whether something is known that came of it. */
  state: 'open' | 'closed' | 'unknown';
  correlation: string | null;
  /** What happened first. */
  first: Sentence[];
  /** What was noticed, and by which detector. */
  noticed: Sentence[];
  /** What was decided, and why. */
  decided: Sentence[];
  done: Sentence[];
  ended: Sentence[];
  /** Everything a link is missing for, in one list. */
  notEstablished: string[];
}

export const CHAPTERS = ['first', 'noticed', 'decided', 'done', 'ended'] as const;
export type Chapter = (typeof CHAPTERS)[number];

export const said = (atMs: number | null, text: string, ...links: Link[]): Sentence => {
  return { atMs, text: text.replace(/\s+/g, ' ').slice(0, TEXT_CHARS), links, established: true };
};
export const missing = (text: string, ...links: Link[]): Sentence => {
  return { atMs: null, text: `not established: ${text}`.slice(0, TEXT_CHARS), links, established: false };
};

const TEXT_CHARS = 2000;
/** Sentences of one chapter: the beginning and the end tell more than the middle. */
const CHAPTER_MAX = 200;

/** Sentences in the order of time, and what is not established gathered. */
export function bind(story: Omit<Story, 'notEstablished'>): Story {
  const chapters = Object.fromEntries(CHAPTERS.map((chapter) => [chapter, shortened(ordered(story[chapter]))]));
  const whole = { ...story, ...(chapters as Pick<Story, Chapter>) };
  const notEstablished = CHAPTERS.flatMap((chapter) => whole[chapter])
    .filter(({ established }) => !established)
    .map(({ text }) => text.replace(/^not established: /, ''));
  return { ...whole, notEstablished };
}

function ordered(sentences: readonly Sentence[]): Sentence[] {
  return [...sentences].sort((a, b) => (a.atMs ?? Number.POSITIVE_INFINITY) - (b.atMs ?? Number.POSITIVE_INFINITY));
}

function shortened(sentences: Sentence[]): Sentence[] {
  const over = sentences.length - CHAPTER_MAX;
  if (over <= 0) return sentences;
  const half = CHAPTER_MAX / 2;
  const gap = said(null, `${over} sentences are left out here; the verb timeline has them`);
  return [...sentences.slice(0, half), gap, ...sentences.slice(-half)];
}
