import { z } from 'zod';
import { durationUnits, parseDuration, parseShare, parseSize, sizeUnits } from '../units.ts';
import { show } from './problems.ts';

/** `250`, `"250ms"`, `"10s"`, `"1.5m"` -> milliseconds. */
export const duration = quantity(
  parseDuration,
  `a duration like 250, "250ms" or "10s" (units ${durationUnits.join(', ')})`,
);

/** `1024`, `"64MB"`, `"64MiB"` -> bytes. */
export const size = quantity(parseSize, `a size like 1024, "64MB" or "64MiB" (units ${sizeUnits.join(', ')})`);

/** A duration that cannot be zero: an interval or a deadline. */
export const period = quantity(
  (value) => parseDuration(value) || undefined,
  `a duration above zero like 250, "250ms" or "10s" (units ${durationUnits.join(', ')})`,
);

/** Memory of a thread or process: less than `atLeast` cannot hold what it is for. */
export const memory = (atLeast: string): z.ZodType<number> =>
  quantity(
    (value) => {
      const bytes = parseSize(value);
      return bytes !== undefined && bytes >= parseSize(atLeast)! ? bytes : undefined;
    },
    `a size of at least ${atLeast}, like "256MiB" (units ${sizeUnits.join(', ')})`,
  );

/** `"20%"`, `0.2` -> 0.2; `off` -> null. One thread can never use more than a whole core. */
export const shareOrOff = quantity<number | null>(
  (value) => (value === 'off' || value === false ? null : parseShare(value)),
  'a share of one core from 1% to 100%, like "20%" or 0.2, or off',
);

/** Ids are folder names, thread names and principals, so they are plain. */
export const kernelId = z
  .string()
  .regex(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/, {
    error: (issue) => `expected a snake_case id like my_kernel, got ${show(issue.input)}`,
  })
  .max(64);

/** A subject pattern of the access rules: tokens of letters, digits, `_`, `-`; `*` for one; `>` for the rest; `{self}` for the principal. */
export const subjectPattern = z
  .string()
  .max(256)
  .regex(/^(?:(?:[A-Za-z0-9_-]+|\*|\{self\})\.)*(?:[A-Za-z0-9_-]+|\*|\{self\}|>)$/, {
    error: (issue) =>
      `expected a subject pattern like task.*.done or kernel.{self}.> (">" only at the end), got ${show(issue.input)}`,
  });

function quantity<T = number>(parse: (value: unknown) => T | undefined, expected: string): z.ZodType<T> {
  return z.unknown().transform((value, context) => {
    const parsed = parse(value);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: `expected ${expected}, got ${show(value)}` });
    return z.NEVER;
  });
}
