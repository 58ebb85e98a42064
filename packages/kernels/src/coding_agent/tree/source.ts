import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { hash } from '../scan/finding.ts';
import { readFilePath } from './place.ts';

export interface Source {
  text: string;
  /** SHA-256 of the bytes, hex. */
  hash: string;
}

/**
 * Reads a file of a tree: a regular one, through no link, and only when its bytes are UTF-8, so that what is written back later differs in what
 * was changed alone.
 * @throws GraceError `NOT_FOUND`, `FORBIDDEN`, `TOO_LARGE`, `UNSUPPORTED_TYPE`
 */
export function readSource(root: string, file: string, maxBytes: number): Source {
  const path = join(root, readFilePath(file, 'file'));
  let descriptor: number;
  try {
    if (realpathSync(dirname(path)) !== dirname(path)) throw linked(file);
    // Not blocking: a named pipe would be waited for.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof GraceError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ELOOP') throw linked(file);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new GraceError('NOT_FOUND', `there is no file ${file} in ${root}`);
    throw new GraceError('FORBIDDEN', `${file} cannot be read: ${code}`);
  }
  try {
    const { size } = regular(descriptor, file);
    if (size > maxBytes) throw new GraceError('TOO_LARGE', `${file} has ${size} bytes; at most ${maxBytes} are read`);
    const bytes = Buffer.allocUnsafe(size);
    let length = 0;
    while (length < size) {
      const got = readSync(descriptor, bytes, length, size - length, length);
      if (got === 0) break;
      length += got;
    }
    const content = bytes.subarray(0, length);
    const text = content.toString('utf8');
    if (!Buffer.from(text, 'utf8').equals(content))
      throw new GraceError('UNSUPPORTED_TYPE', `${file} is not text in UTF-8`);
    return { text, hash: hash(content) };
  } finally {
    closeSync(descriptor);
  }
}

function regular(descriptor: number, file: string): { size: number } {
  const found = fstatSync(descriptor);
  if (!found.isFile()) throw new GraceError('FORBIDDEN', `${file} is no regular file`);
  return found;
}

function linked(file: string): GraceError {
  return new GraceError('FORBIDDEN', `${file} is, or lies behind, a link; links are not followed`);
}
