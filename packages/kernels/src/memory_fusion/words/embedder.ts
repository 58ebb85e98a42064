import { contentWords } from './words.ts';

/** Turns text into a vector of unit length, so that the dot product of two vectors is their cosine. */
export interface Embedder {
  /** Names method, version and dimension: vectors of different ids cannot be compared. */
  readonly id: string;
  readonly dimension: number;
  /** A text without any letter or digit gives the zero vector. `weightOf`: how much a word says; 1 each unless told. */
  embed(text: string, weightOf?: (word: string) => number): Float32Array;
}

/** The share of a word's weight that its whole form has; the rest is spread over its character n-grams. */
const WHOLE_WORD = 0.5;
const SHORTEST_GRAM = 3;
const LONGEST_GRAM = 5;

/**
 * Lexical, without a model: every word and its character n-grams (3 to 5, with word borders) are hashed to a signed position
 * (Weinberger et al. 2009, feature hashing; n-grams as in Bojanowski et al. 2017). Texts are near when their words share spelling: word
 * order and inflection do not matter, words of like meaning and unlike spelling stay apart.
 */
export function hashedEmbedder(dimension: number): Embedder {
  const add = (vector: Float32Array, hash: number, weight: number): void => {
    const position = (hash >>> 1) % dimension;
    vector[position]! += hash & 1 ? weight : -weight;
  };
  return {
    id: `hashed-words-3-5grams-1/${dimension}`,
    dimension,
    embed(text, weightOf = () => 1) {
      const counts = new Map<string, number>();
      for (const word of contentWords(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
      const vector = new Float32Array(dimension);
      for (const [word, count] of counts) {
        // The tenth mention of a word says less than the first.
        const weight = (1 + Math.log(count)) * weightOf(word);
        add(vector, hashOf(word, 0, word.length, 0), weight * Math.sqrt(WHOLE_WORD));
        const bordered = `^${word}$`;
        const grams = gramCount(bordered.length);
        const share = weight * Math.sqrt((1 - WHOLE_WORD) / grams);
        for (let size = SHORTEST_GRAM; size <= LONGEST_GRAM; size++) {
          for (let at = 0; at + size <= bordered.length; at++)
            add(vector, hashOf(bordered, at, at + size, size), share);
        }
      }
      return unit(vector);
    },
  };
}

function gramCount(length: number): number {
  let count = 0;
  for (let size = SHORTEST_GRAM; size <= LONGEST_GRAM; size++) count += Math.max(0, length - size + 1);
  return Math.max(1, count);
}

/** FNV-1a over UTF-16 units, then mixed (murmur3 finaliser), since the low bits of FNV alone are too regular for a sign. */
function hashOf(text: string, from: number, to: number, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function unit(vector: Float32Array): Float32Array {
  let sum = 0;
  for (const value of vector) sum += value * value;
  if (sum === 0) return vector;
  const length = Math.sqrt(sum);
  for (let i = 0; i < vector.length; i++) vector[i]! /= length;
  return vector;
}
