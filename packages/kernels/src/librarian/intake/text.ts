import { GraceError } from '@grace/contracts';
import { isPdf } from './document-type.ts';

/**
 * Bytes as text: UTF-8, wrong sequences replaced, byte order mark removed.
 * @throws GraceError `UNSUPPORTED_TYPE` for pdf and for content with a NUL byte, which no text has
 */
export function readable(name: string, bytes: Uint8Array): string {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(5, bytes.byteLength)).toString('latin1');
  if (isPdf(name, start)) {
    throw new GraceError(
      'UNSUPPORTED_TYPE',
      `${name} is a pdf; text cannot be extracted from pdf. Convert it to text first`,
      { name },
    );
  }
  const binaryAt = bytes.indexOf(0);
  if (binaryAt >= 0) {
    throw new GraceError('UNSUPPORTED_TYPE', `${name} is binary: byte ${binaryAt} is NUL. Text has to be UTF-8`, {
      name,
    });
  }
  return new TextDecoder().decode(bytes);
}
