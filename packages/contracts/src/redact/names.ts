/** What stands where something was left out. */
export const REDACTED = '[redacted]';

const WORDS =
  'password|passwd|passphrase|secret|token|authorization|api[-_]?key|private[-_]?key|access[-_]?key|credentials?|cookie';

const NAME = new RegExp(`(?:${WORDS})$`, 'i');

/** Whether a field of this name holds a secret: its last word says so, in any spelling (`apiKey`, `client_secret`, `X-Api-Key`). */
export function isSecretName(name: string): boolean {
  return NAME.test(name);
}

/** Longest value behind a name that is looked at; every repetition is bounded, so that no text makes a pattern slow. */
const LONGEST = 4096;
const ANY_WORD = new RegExp(`${WORDS}|bearer|://`, 'i');
const PATTERNS: readonly [RegExp, string][] = [
  // A header: to the end of its line.
  [
    new RegExp(
      `((?:authorization|cookie)["']?[ \\t]{0,9}:[ \\t]{0,9})(?:"[^"\\r\\n]{1,${LONGEST}}"|'[^'\\r\\n]{1,${LONGEST}}'|[^\\s"'][^\\r\\n]{0,${LONGEST}})`,
      'gi',
    ),
    `$1${REDACTED}`,
  ],
  // "password":"..." and password: '...', as JSON and console.log write it.
  [new RegExp(`((?:${WORDS})["']?[ \\t]{0,9}:[ \\t]{0,9})"(?:[^"\\\\]|\\\\.){1,${LONGEST}}"`, 'gi'), `$1"${REDACTED}"`],
  [new RegExp(`((?:${WORDS})["']?[ \\t]{0,9}:[ \\t]{0,9})'(?:[^'\\\\]|\\\\.){1,${LONGEST}}'`, 'gi'), `$1'${REDACTED}'`],
  // password=..., in a query or a command line.
  [
    new RegExp(`((?:${WORDS})["']?=)(?:"[^"]{1,${LONGEST}}"|'[^']{1,${LONGEST}}'|[^\\s&,;"'<>]{1,${LONGEST}})`, 'gi'),
    `$1${REDACTED}`,
  ],
  [new RegExp(`(\\bbearer[ \\t])[\\w.~+/=-]{16,${LONGEST}}`, 'gi'), `$1${REDACTED}`],
  // https://user:password@host
  [/(:\/\/[^\s:/@]{0,64}:)[^\s/@]{1,256}@/g, `$1${REDACTED}@`],
];

/** Text in which what stands behind the name of a secret is left out. A name alone (`token: expired`) is none. */
export function redactNamed(text: string): string {
  if (!ANY_WORD.test(text)) return text;
  return PATTERNS.reduce((left, [pattern, replacement]) => left.replace(pattern, replacement), text);
}
