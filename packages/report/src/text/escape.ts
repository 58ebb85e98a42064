/** Strings of the journal are whatever a kernel, a user or an attacker wrote. Nothing of them may become markup. */

const MOST = 2000;

/** One line, no control or direction-changing characters, not endless. */
function oneLine(text: string): string {
  const line = text
    .toWellFormed()
    .replace(/[\s\u2028\u2029]+/gu, ' ')
    .replace(/[\p{Cc}\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu, codePoint)
    .trim();
  return line.length <= MOST
    ? line
    : `${line.slice(0, MOST).toWellFormed()}... (${line.length - MOST} more characters)`;
}

/** Text inside a paragraph, list item, heading or table cell. */
export function text(value: string): string {
  return oneLine(value)
    .replace(/[\\`*|[\]~$]/g, '\\$&')
    .replace(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, '\\_')
    .replace(/&(?=[#a-zA-Z])/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/^(#{1,6})(?=\s|$)/, '\\$1')
    .replace(/^([-+>=])/, '\\$1')
    .replace(/^(\d{1,9})([.)])(?=\s|$)/, '$1\\$2');
}

/** An identifier in a code span; falls back to escaped text when it holds what a code span cannot. */
export function code(value: string): string {
  return /^[A-Za-z0-9_.:/@#=, <>()+-]*[A-Za-z0-9_:/@#=)>+-]$/.test(value) &&
    value.length <= 200 &&
    value.trim() === value
    ? `\`${value}\``
    : text(value);
}

/** A block of code whose fence is longer than any run of backticks in it. */
export function fence(value: string, language = ''): string {
  const clean = value
    .toWellFormed()
    .replace(/[^\P{Cc}\n\t]/gu, codePoint)
    .replace(/[\u200b-\u200f\u202a-\u202e\u2060-\u2069\u2028\u2029\ufeff]/g, codePoint);
  const longest = Math.max(2, ...(clean.match(/`+/g) ?? []).map((run) => run.length));
  const bar = '`'.repeat(longest + 1);
  return `${bar}${language}\n${clean}\n${bar}`;
}

/** Text and attribute values of XML. Characters that XML 1.0 does not know are named by their code point. */
export function xml(value: string): string {
  return oneLine(value)
    .replace(/[\ufffe\uffff]/g, codePoint)
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/'/g, '&#39;');
}

function codePoint(character: string): string {
  return `(U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')})`;
}
