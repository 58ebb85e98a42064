/** Words of one utterance that are looked at: nobody asks in more, and somebody may send more. */
export const WORDS_MAX = 120;

const CONTRACTIONS: [RegExp, string][] = [
  [/\b(what|how|who|where|when|that|there|it|everything|anything)['’]s\b/g, '$1 is'],
  [/\b(what|how|where)['’]re\b/g, '$1 are'],
  [/['’](re)\b/g, ' are'],
  [/n['’]t\b/g, ' not'],
  [/\bi['’]m\b/g, 'i am'],
];

/** What was said as plain words: small letters, without punctuation, contractions written out. */
export function wordsOf(text: string): string[] {
  let plain = text.toWellFormed().normalize('NFKC').toLowerCase();
  for (const [short, long] of CONTRACTIONS) plain = plain.replace(short, long);
  return (plain.match(/[\p{L}\p{N}_]+(?:[.:-][\p{L}\p{N}_]+)*/gu) ?? []).slice(0, WORDS_MAX);
}
