import { contentWords } from '../../memory_fusion/words/words.ts';

/** Sentences that take part in the ranking, which is quadratic in their number; of a longer text, those with the most frequent words. */
const MAX_RANKED = 300;
const MAX_SENTENCE = 600;
const DAMPING = 0.85;
const ROUNDS = 30;

interface Sentence {
  at: number;
  text: string;
  words: Set<string>;
}

/** The sentences that say most of what the others say, in the order of the text (TextRank, Mihalcea and Tarau 2004). No word is new. */
export function summarise(text: string, count: number): string[] {
  const sentences = mostFrequent(sentencesOf(text), MAX_RANKED);
  if (sentences.length <= count) return sentences.map((sentence) => sentence.text);
  const ranks = rank(sentences);
  return [...sentences.keys()]
    .sort((a, b) => ranks[b]! - ranks[a]! || a - b)
    .slice(0, count)
    .sort((a, b) => a - b)
    .map((i) => sentences[i]!.text);
}

/** Sentences of three content words or more, each once. A line break that ends a heading or a list entry ends a sentence. */
function sentencesOf(text: string): Sentence[] {
  const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });
  const seen = new Set<string>();
  const sentences: Sentence[] = [];
  for (const paragraph of text.split(/\n\s*\n|\n(?=\s*(?:[-*+#>]|\d+[.)])\s)|(?<=^#{1,6} [^\n]*)\n/m)) {
    for (const { segment } of segmenter.segment(paragraph)) {
      const shown = segment
        .replace(/^\s*(?:[-*+>]|#{1,6}|\d+[.)])\s+/, '')
        .replace(/\s+/g, ' ')
        .trim();
      if (shown.length > MAX_SENTENCE || seen.has(shown)) continue;
      seen.add(shown);
      const words = new Set(contentWords(shown));
      if (words.size >= 3) sentences.push({ at: sentences.length, text: shown, words });
    }
  }
  return sentences;
}

function mostFrequent(sentences: Sentence[], limit: number): Sentence[] {
  if (sentences.length <= limit) return sentences;
  const counts = new Map<string, number>();
  for (const { words } of sentences) for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const weight = ({ words }: Sentence): number =>
    [...words].reduce((sum, word) => sum + Math.log(counts.get(word)!), 0) / words.size;
  return sentences
    .map((sentence) => ({ sentence, weight: weight(sentence) }))
    .sort((a, b) => b.weight - a.weight || a.sentence.at - b.sentence.at)
    .slice(0, limit)
    .map(({ sentence }) => sentence)
    .sort((a, b) => a.at - b.at);
}

function rank(sentences: readonly Sentence[]): Float64Array {
  const n = sentences.length;
  const similar = new Float64Array(n * n);
  const out = new Float64Array(n);
  for (let a = 0; a < n; a++) {
    for (let b = a + 1; b < n; b++) {
      const [left, right] = [sentences[a]!.words, sentences[b]!.words];
      const value = left.intersection(right).size / (Math.log(left.size) + Math.log(right.size));
      similar[a * n + b] = value;
      similar[b * n + a] = value;
      out[a]! += value;
      out[b]! += value;
    }
  }
  let ranks = new Float64Array(n).fill(1 / n);
  for (let round = 0; round < ROUNDS; round++) {
    const next = new Float64Array(n).fill((1 - DAMPING) / n);
    for (let a = 0; a < n; a++) {
      if (out[a] === 0) continue;
      const share = (DAMPING * ranks[a]!) / out[a]!;
      for (let b = 0; b < n; b++) next[b]! += share * similar[a * n + b]!;
    }
    ranks = next;
  }
  return ranks;
}
