import { GraceError } from '@grace/contracts';

/** Of a text that is taken for UTF-8, so large a part may be wrong; what has more is no text. */
const WRONG_PART = 0.1;

/** Byte order marks: what begins with one is in that encoding. */
const MARKS: readonly [mark: readonly number[], encoding: string][] = [
  [[0xef, 0xbb, 0xbf], 'utf-8'],
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
];

/**
 * Bytes as text: UTF-8, or UTF-16 behind its byte order mark; wrong sequences are replaced, the mark is removed.
 * @throws GraceError `UNSUPPORTED_TYPE` for content with a NUL byte or with too much that is no UTF-8
 */
export function readable(name: string, bytes: Uint8Array): string {
  const encoding = MARKS.find(([mark]) => mark.every((byte, i) => bytes[i] === byte))?.[1] ?? 'utf-8';
  if (encoding !== 'utf-8') return new TextDecoder(encoding).decode(bytes).replaceAll('\0', '\ufffd');
  const binaryAt = bytes.indexOf(0);
  if (binaryAt >= 0) throw binary(name, `byte ${binaryAt} is NUL`);
  const text = new TextDecoder().decode(bytes);
  const wrong = text.length - text.replaceAll(/[\ufffd\u0001-\u0008\u000e-\u001a\u001c-\u001f]/g, '').length;
  if (wrong > 8 && wrong > text.length * WRONG_PART)
    throw binary(name, `${wrong} of its ${text.length} characters are none of UTF-8`);
  return text;
}

const binary = (name: string, why: string): GraceError =>
  new GraceError(
    'UNSUPPORTED_TYPE',
    `${name} is binary: ${why}. Text has to be UTF-8, or UTF-16 with a byte order mark`,
    {
      name,
    },
  );
