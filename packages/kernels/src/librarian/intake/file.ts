import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, relative } from 'node:path';
import { GraceError } from '@grace/contracts';
import { isPdf } from './document-type.ts';
import { readable } from './text.ts';

export interface FileLimits {
  maxFileBytes: number;
  /** Of a pdf, which is larger than the text in it. */
  maxPdfBytes: number;
  /** Folders that may be read; empty = no limit. */
  roots: readonly string[];
}

const READ_BYTES = 65_536;

/** What a file holds: text, or the bytes of a pdf. */
export type Content = { text: string } | { pdf: Uint8Array };

/**
 * What a file holds that is inside `folder` (default: the folder it is named in). `path` in the answer is the real one.
 * @throws GraceError `BAD_INPUT` for a relative path or something that is no file, `NOT_FOUND`, `FORBIDDEN` for a link out of the folder, a
 * place outside the roots or a file that may not be read, `TOO_LARGE`, `UNSUPPORTED_TYPE` for binary content
 */
export async function readFileIn(
  path: string,
  limits: FileLimits,
  folder?: string,
): Promise<{ path: string; stamp: string; content: Content }> {
  if (!isAbsolute(path))
    throw new GraceError('BAD_INPUT', `input.path: expected an absolute path, got "${path}"`, { path });
  const real = await resolved(path);
  const border = folder ?? (await resolved(dirname(path)));
  if (!isInside(border, real)) {
    throw new GraceError('FORBIDDEN', `${path} is a link out of its folder, to ${real}; name that file instead`, {
      path,
      real,
    });
  }
  await admit(real, limits);
  // Not a link (it was resolved), and never waiting for the other end of a pipe.
  const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error) =>
    refuse(path, error),
  );
  try {
    // Before it is read: what is written meanwhile has another stamp.
    const stamp = stampOf(await file.stat({ bigint: true }));
    const bytes = await readBounded(file, path, limits);
    if ((await resolved(path)) !== real) {
      throw new GraceError('FORBIDDEN', `${path} led elsewhere while it was read`, { path });
    }
    return { path: real, stamp, content: isPdf(bytes) ? { pdf: bytes } : { text: readable(path, bytes) } };
  } finally {
    await file.close();
  }
}

/**
 * The real path of a folder that may be read.
 * @throws GraceError `BAD_INPUT`, `NOT_FOUND`, `FORBIDDEN`
 */
export async function admitFolder(path: string, limits: FileLimits): Promise<string> {
  if (!isAbsolute(path)) {
    throw new GraceError('BAD_INPUT', `input.folder: expected an absolute path, got "${path}"`, { path });
  }
  const real = await resolved(path);
  await admit(real, limits);
  const folder = await open(real, constants.O_RDONLY | constants.O_NONBLOCK).catch((error) => refuse(path, error));
  try {
    if (!(await folder.stat()).isDirectory()) {
      throw new GraceError('BAD_INPUT', `input.folder: ${path} is no folder; use ingest for one file`, { path });
    }
  } finally {
    await folder.close();
  }
  return real;
}

export function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith('../') && !isAbsolute(way));
}

async function admit(real: string, { roots }: FileLimits): Promise<void> {
  if (roots.length === 0) return;
  for (const root of roots) {
    // A root that does not exist admits nothing.
    const known = await realpath(root).catch(() => undefined);
    if (known !== undefined && isInside(known, real)) return;
  }
  throw new GraceError('FORBIDDEN', `${real} is outside the folders this kernel may read: ${roots.join(', ')}`, {
    path: real,
  });
}

/** File systems count time in steps of up to two seconds (FAT). */
const STAMP_GRAIN_MS = 2000;

/** A file with the same stamp has the same content; one that was changed within the clock's grain has none, so that it is read again. */
export function stampOf({ size, mtimeNs, ctimeNs, ino }: BigIntStats): string {
  const isFresh = Date.now() - Number(ctimeNs / 1_000_000n) < STAMP_GRAIN_MS;
  return isFresh ? '' : `${size}.${mtimeNs}.${ctimeNs}.${ino}`;
}

async function readBounded(file: FileHandle, path: string, limits: FileLimits): Promise<Buffer> {
  const stat = await file.stat();
  if (!stat.isFile()) throw new GraceError('BAD_INPUT', `${path} is no regular file`, { path });
  let maxBytes = limits.maxFileBytes;
  const tooLarge = (bytes: number): never => {
    throw new GraceError('TOO_LARGE', `${path} has ${bytes} bytes or more; at most ${maxBytes} are read`, {
      path,
      maxBytes,
    });
  };
  if (stat.size > maxBytes) {
    const start = Buffer.alloc(5);
    await file.read(start, 0, start.length, 0);
    if (isPdf(start)) maxBytes = Math.max(maxBytes, limits.maxPdfBytes);
    if (stat.size > maxBytes) tooLarge(stat.size);
  }
  // The size is only a promise: a file may grow while it is read, and those of /proc say 0.
  const parts: Buffer[] = [];
  for (let length = 0; ; ) {
    const part = Buffer.allocUnsafe(READ_BYTES);
    const { bytesRead } = await file.read(part, 0, part.length, length);
    if (bytesRead === 0) return Buffer.concat(parts, length);
    length += bytesRead;
    if (length > maxBytes) tooLarge(length);
    parts.push(part.subarray(0, bytesRead));
  }
}

const resolved = (path: string): Promise<string> => realpath(path).catch((error) => refuse(path, error));

function refuse(path: string, error: NodeJS.ErrnoException): never {
  const reasons: Record<string, ['NOT_FOUND' | 'FORBIDDEN' | 'BAD_INPUT', string]> = {
    ENOENT: ['NOT_FOUND', 'does not exist'],
    ENOTDIR: ['NOT_FOUND', 'does not exist'],
    EACCES: ['FORBIDDEN', 'may not be read by this user'],
    EPERM: ['FORBIDDEN', 'may not be read by this user'],
    ELOOP: ['FORBIDDEN', 'is a link, or a circle of links'],
    ENAMETOOLONG: ['BAD_INPUT', 'is too long a path'],
    ENXIO: ['BAD_INPUT', 'is no regular file'],
    ERR_INVALID_ARG_VALUE: ['BAD_INPUT', 'is no path'],
  };
  const [code, what] = reasons[error.code ?? ''] ?? (['FORBIDDEN', `cannot be read: ${error.message}`] as const);
  throw new GraceError(code, `${JSON.stringify(path)} ${what}`, { path, cause: error.code });
}
