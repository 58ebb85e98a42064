/** Words that say nothing about what an English text is about; neither indexed nor asked for. */
const STOP = new Set(
  `a about after all also am an and any are as at be because been before being but by can could did do does done for from had has
have having he her here him his how i if in into is it its itself just me more most must my no nor not now of on once one only or other
our out over own same shall she should so some such than that the their them then there these they this those through to too
under until up upon us very was we were what when where which while who whom why will with would you your`.split(/\s+/),
);

/**
 * The words of a text in the one form that both indexes use: without accents, lower case, identifiers such as `lateAfterMs` and
 * `message_bus` taken apart, encoded data cut into words of 64.
 */
export function wordsOf(text: string): string[] {
  const plain = text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/(\p{Ll}|\p{N})(\p{Lu})/gu, '$1 $2')
    .toLowerCase();
  return plain.match(/[\p{L}\p{N}]{1,64}/gu) ?? [];
}

/** The words that carry the subject; all words when there are no others ("to be or not to be"). */
export function contentWords(text: string): string[] {
  const words = wordsOf(text);
  const content = words.filter((word) => !STOP.has(word));
  return content.length > 0 ? content : words;
}
