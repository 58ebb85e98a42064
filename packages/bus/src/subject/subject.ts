import { GraceError } from '@grace/contracts';

/** Longest subject or pattern, characters. */
export const MAX_SUBJECT_LENGTH = 256;

const SUBJECT = /^[^\s.*>]+(?:\.[^\s.*>]+)*$/;
const PATTERN = /^(?:(?:[^\s.*>]+|\*)\.)*(?:[^\s.*>]+|\*|>)$/;

/** Dot-separated tokens without wildcards, such as `kernel.librarian.call.search`. */
export function isSubject(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_SUBJECT_LENGTH && SUBJECT.test(value);
}

/** Like a subject; `*` stands for one token, `>` as the last token for one or more. */
export function isPattern(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_SUBJECT_LENGTH && PATTERN.test(value);
}

/** @throws GraceError `BUS_BAD_SUBJECT` */
export function checkSubject(value: unknown): asserts value is string {
  if (isSubject(value)) return;
  throw new GraceError(
    'BUS_BAD_SUBJECT',
    `${shown(value)} is not a subject: expected dot-separated tokens without blanks and wildcards, at most ${MAX_SUBJECT_LENGTH} characters`,
  );
}

/** @throws GraceError `BUS_BAD_SUBJECT` */
export function checkPattern(value: unknown): asserts value is string {
  if (isPattern(value)) return;
  throw new GraceError(
    'BUS_BAD_SUBJECT',
    `${shown(value)} is not a pattern: expected dot-separated tokens, "*" for one token, ">" only as the last, at most ${MAX_SUBJECT_LENGTH} characters`,
  );
}

/** The first token: accounts are kept per family. */
export function familyOf(subject: string): string {
  const dot = subject.indexOf('.');
  return dot === -1 ? subject : subject.slice(0, dot);
}

/** `system.control` and all below it is control traffic whatever its sender says. */
export function isControlSubject(subject: string): boolean {
  return subject.startsWith('system.control') && (subject.length === 14 || subject[14] === '.');
}

const shown = (value: unknown): string => (typeof value === 'string' ? `"${value.slice(0, 80)}"` : String(value));
