/** Subjects and patterns as on the bus: dot-separated tokens, `*` one token, `>` one or more at the end. */
const TOKEN = /^[^\s.*>]+$/;

/** The longest subject a rule may name, characters. */
export const SUBJECT_CHARS = 256;

export function isSubject(text: string): boolean {
  return text.length <= SUBJECT_CHARS && text.split('.').every((token) => TOKEN.test(token));
}

export function isPattern(text: string): boolean {
  const tokens = text.split('.');
  return (
    text.length <= SUBJECT_CHARS &&
    tokens.every((token, i) => token === '*' || (token === '>' && i === tokens.length - 1) || TOKEN.test(token))
  );
}

export function matches(pattern: string, subject: string): boolean {
  return covers(pattern, subject);
}

/** Whether every subject that `narrow` matches is matched by `wide` too. A subject is a pattern that matches itself alone. */
export function covers(wide: string, narrow: string): boolean {
  const a = wide.split('.');
  const b = narrow.split('.');
  for (let i = 0; i < a.length; i++) {
    if (a[i] === '>') return b.length > i;
    if (i >= b.length || b[i] === '>') return false;
    if (a[i] !== '*' && a[i] !== b[i]) return false;
  }
  return a.length === b.length;
}
