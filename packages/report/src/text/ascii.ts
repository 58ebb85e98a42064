const SPELLED: Readonly<Record<string, string>> = {
  '\u2190': '<-',
  '\u2192': '->',
  '\u2191': '^',
  '\u2193': 'v',
  '\u2013': '-',
  '\u2014': '-',
  '\u2018': "'",
  '\u2019': "'",
  '\u201c': '"',
  '\u201d': '"',
  '\u2026': '...',
  '\u2264': '<=',
  '\u2265': '>=',
  '\u00d7': 'x',
  '\u00b7': '-',
  '\u00b5': 'u',
  '\u00df': 'ss',
  '\u2705': '[held]',
  '\u274c': '[broken]',
  '\u26a0': '[unclear]',
  '\ufe0f': '',
};

/** The text without any character above 127: spelled where there is a usual spelling, else by its code point, `[U+4E2D]`. */
export function toAscii(text: string): string {
  let ascii = '';
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (code < 128) ascii += character;
    else ascii += SPELLED[character] ?? plain(character) ?? `[U+${code.toString(16).toUpperCase().padStart(4, '0')}]`;
  }
  return ascii;
}

/** An accented letter without its accents; undefined when nothing of ASCII remains. */
function plain(character: string): string | undefined {
  const base = character.normalize('NFKD').replace(/\p{M}/gu, '');
  return base !== '' && /^[\x20-\x7e]+$/.test(base) ? base : undefined;
}
