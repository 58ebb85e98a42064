import type { DecisionBook } from './decisions/book.ts';
import type { Archive } from './happenings/archive.ts';
import type { Link } from './story/story.ts';
import { tell } from './story/words.ts';

export interface Moment {
  atMs: number;
  kind: 'event' | 'decision';
  /** Event name; of a decision: the principal. */
  name: string;
  about: string | null;
  correlation: string | null;
  text: string;
  link: Link;
}

export interface TimelineQuery {
  fromMs: number;
  toMs: number;
  kernel?: string;
  correlation?: string;
  limit: number;
}

/** Events and decisions in one order, the newest `limit` of the range, oldest first. `more`: there are older ones in it. */
export function timeline(
  archive: Archive,
  book: DecisionBook,
  query: TimelineQuery,
): { moments: Moment[]; more: boolean } {
  const { kernel, limit, ...range } = query;
  const happenings = archive.range({ ...range, limit: limit + 1, ...(kernel === undefined ? {} : { about: kernel }) });
  const decisions = book.list({ ...range, limit: limit + 1, ...(kernel === undefined ? {} : { where: kernel }) });
  const moments: Moment[] = [
    ...happenings.map((happening): Moment => {
      const { seq, atMs, name, about, correlation } = happening;
      const text = tell(happening)?.text ?? name;
      return { atMs, kind: 'event', name, about, correlation, text, link: { record: seq } };
    }),
    ...decisions.map(({ id, atMs, by, where, correlation, what }): Moment => {
      return { atMs, kind: 'decision', name: by, about: where, correlation, text: what, link: { decision: id } };
    }),
  ].sort((a, b) => b.atMs - a.atMs);
  return { moments: moments.slice(0, limit).reverse(), more: moments.length > limit };
}
