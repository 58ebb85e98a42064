/** A part of a document under a name that leads back to it: a heading trail, `rows 1-20`, `lines 10-52`, `$.config.limits`. */
export interface Section {
  name: string;
  text: string;
}

export interface Chunk {
  section: string;
  text: string;
  /** Characters at the start that the chunk before ends with too. */
  overlap: number;
}

/** Characters. A chunk is a screenful: enough to stand alone, little enough to point at. */
export const MAX_CHUNK = 1500;
export const OVERLAP = 150;
const MAX_NAME = 200;

/** Sections as chunks of at most `MAX_CHUNK` characters; a longer section becomes several, each repeating the end of the one before. */
export function chunksOf(sections: Iterable<Section>): Chunk[] {
  const chunks: Chunk[] = [];
  for (const { name, text } of sections) {
    const section = name.length > MAX_NAME ? `${name.slice(0, MAX_NAME - 1).toWellFormed()}…` : name;
    for (const { from, to, overlap } of cuts(text)) {
      const part = text.slice(from, to);
      if (part.trim() !== '') chunks.push({ section, text: part, overlap });
    }
  }
  return chunks;
}

function* cuts(text: string): Generator<{ from: number; to: number; overlap: number }> {
  let from = 0;
  let done = 0;
  while (done < text.length) {
    const to = text.length - from <= MAX_CHUNK ? text.length : cutBefore(text, from, from + MAX_CHUNK, done);
    yield { from, to, overlap: done - from };
    done = to;
    from = overlapStart(text, to);
  }
}

/** The best place to end a chunk: after a paragraph, a line, a sentence, a word, in this order, within its last third; else at its end. */
function cutBefore(text: string, from: number, limit: number, done: number): number {
  const earliest = Math.max(done + 1, from + Math.floor((MAX_CHUNK * 2) / 3));
  const window = text.slice(earliest, limit);
  for (const border of ['\n\n', '\n', '. ', ' ']) {
    const at = window.lastIndexOf(border);
    if (at >= 0) return earliest + at + border.length;
  }
  return splitsPair(text, limit) ? limit - 1 : limit;
}

function overlapStart(text: string, end: number): number {
  if (end >= text.length) return end;
  const start = end - OVERLAP;
  const word = text.slice(start, end).search(/\s\S/);
  const from = word >= 0 ? start + word + 1 : start;
  return splitsPair(text, from) ? from + 1 : from;
}

/** Whether a cut here would tear a character of two UTF-16 units apart. */
function splitsPair(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff;
}
