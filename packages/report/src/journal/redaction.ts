/**
 * The last line of defence: writers of the journal redact by value where they know the secret; here whatever still looks like one is
 * taken out, by the name of its field or by its shape.
 */
const REDACTED = '[redacted]';

const SECRET_FIELD =
  /^(?!.*(count|length|bytes|ms|id)$).*(pass(word|wd|phrase)|secret|token|credential|authorization|cookie|api[_-]?key|private[_-]?key|access[_-]?key|bearer)$/i;

const SHAPES: readonly [RegExp, string][] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, REDACTED],
  // A bus token and a JSON web token: base64url of a JSON object, then one or two more parts.
  [/\beyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]{8,}){1,2}/g, REDACTED],
  [/\b(sk|pk|rk)[-_](live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{16,}/g, REDACTED],
  [
    /\b(gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|AKIA[0-9A-Z]{16}|AIza[A-Za-z0-9_-]{30,}|npm_[A-Za-z0-9]{30,}|glpat-[A-Za-z0-9_-]{16,})/g,
    REDACTED,
  ],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9+/._~=-]{8,}/gi, `$1 ${REDACTED}`],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*):[^\s/@]+@/gi, `$1:${REDACTED}@`],
  [
    /((?:^|[^a-z])(?:[a-z0-9_-]*(?:pass(?:word|wd|phrase)|secret|token|credential|api[_-]?key|private[_-]?key|access[_-]?key))["']?\s*[=:]\s*)("[^"]+"|'[^']+'|[^\s"',;)}\]]{6,})/gi,
    `$1${REDACTED}`,
  ],
];

export function redactText(text: string): string {
  return SHAPES.reduce((rest, [shape, instead]) => rest.replace(shape, instead), text);
}

/** A copy of any JSON value without what looks like a secret. Deeper than 24 levels it is cut. */
export function redact<T>(value: T): T {
  return walk(value, 0) as T;
}

function walk(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (value === null || typeof value !== 'object') return value;
  if (depth > 24) return '[cut]';
  if (Array.isArray(value)) return value.map((item) => walk(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      redactText(key),
      typeof inner === 'string' && inner !== '' && SECRET_FIELD.test(key) ? REDACTED : walk(inner, depth + 1),
    ]),
  );
}
