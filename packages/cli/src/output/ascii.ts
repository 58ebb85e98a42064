const WORDS: Record<string, string> = {
  '✔': '+',
  '✖': 'x',
  '•': '*',
  '·': '-',
  '…': '...',
  '→': '->',
  '–': '-',
  '—': '-',
  '“': '"',
  '”': '"',
  '’': "'",
  '│': '|',
  '─': '-',
  '×': 'x',
  '≤': '<=',
  '≥': '>=',
  µ: 'u',
};

/** The same text without any character above 127: known signs by their nearest form, all others as `\u{...}`. */
export function toAscii(text: string): string {
  return text.replace(/[^\0-\x7f]/gu, (sign) => WORDS[sign] ?? `\\u{${sign.codePointAt(0)!.toString(16)}}`);
}

/** JSON text without any character above 127; still the same document. */
export function toAsciiJson(json: string): string {
  return json.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
