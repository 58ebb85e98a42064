/** A value shorter than this cannot be told from ordinary text, so it cannot be redacted and is not accepted as a secret. */
export const SECRET_LENGTH_MIN = 8;

/** A line of a value of several lines that is known by itself, because logs go line by line. */
const LINE_LENGTH_MIN = 16;

/** A value in every spelling in which it commonly turns up in text: as it is, escaped, encoded. Each at least `SECRET_LENGTH_MIN` long. */
export function formsOf(value: string): string[] {
  const bytes = Buffer.from(value, 'utf8');
  const hex = bytes.toString('hex');
  const forms = [
    value,
    ...value.split(/\r?\n/).filter((line) => line.length >= LINE_LENGTH_MIN && line.length < value.length),
    JSON.stringify(value).slice(1, -1),
    encoded(value),
    hex,
    hex.toUpperCase(),
    // As console.log shows a Buffer.
    hex.replace(/(..)(?=.)/g, '$1 '),
    ...[0, 1, 2].flatMap((offset) => base64At(bytes, offset)),
  ];
  return [...new Set(forms)].filter((form) => form.length >= SECRET_LENGTH_MIN);
}

/** What base64 makes of the bytes when `offset` (mod 3) bytes stand before them, without the digits that others have a part in. */
function base64At(bytes: Buffer, offset: number): string[] {
  const text = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const own = text.slice(offset === 0 ? 0 : offset + 1, (offset + bytes.length) % 3 === 0 ? undefined : -1);
  return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
}

/** A lone surrogate has no form in a URL. */
function encoded(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}
