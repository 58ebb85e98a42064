import { didYouMean, GraceError, parseDuration, parseShare } from '@grace/contracts';
import { InvalidArgumentError } from 'commander';

/** `a,b,c` -> `['a', 'b', 'c']` */
export function list(what: string): (text: string) => string[] {
  return (text) => {
    const entries = text.split(',').map((entry) => entry.trim());
    if (entries.some((entry) => entry === ''))
      throw new InvalidArgumentError(`expected ${what}, or several with commas between.`);
    return entries;
  };
}

/** `10s`, `250ms`, `250` -> milliseconds. */
export function milliseconds(text: string): number {
  const ms = parseDuration(/^\d+(\.\d+)?$/.test(text) ? Number(text) : text);
  if (ms === undefined || ms === 0)
    throw new InvalidArgumentError('expected a duration above zero, like 10s or 250ms.');
  return ms;
}

export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(
        `expected a whole number of at least ${min}${max < Number.MAX_SAFE_INTEGER ? ` and at most ${max}` : ''}.`,
      );
    }
    return value;
  };
}

const MAX_INPUT_BYTES = 1e6;

/**
 * The JSON of an argument, or of standard input for `-`; nothing given is undefined.
 * @throws GraceError `USAGE` when it is not JSON, `TOO_LARGE`
 */
export async function readJson(argument: string | undefined, stdin: NodeJS.ReadableStream): Promise<unknown> {
  if (argument === undefined) return undefined;
  const text = argument === '-' ? await readAll(stdin) : argument;
  try {
    return JSON.parse(text);
  } catch (error) {
    const source = argument === '-' ? 'standard input' : 'the argument';
    throw new GraceError(
      'USAGE',
      `${source} is not JSON (${(error as Error).message}); put it in single quotes, and texts in double quotes: '{"text":"hello"}'`,
    );
  }
}

/** @throws GraceError `TOO_LARGE` */
export async function readAll(stdin: NodeJS.ReadableStream): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of stdin) {
    const chunk = Buffer.from(part);
    bytes += chunk.length;
    if (bytes > MAX_INPUT_BYTES)
      throw new GraceError('TOO_LARGE', `standard input is larger than ${MAX_INPUT_BYTES} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** One of a few names. */
export function oneOf<const T extends string>(names: readonly T[]): (text: string) => T {
  return (text) => {
    const name = names.find((known) => known === text);
    if (name === undefined) throw new InvalidArgumentError(`expected ${names.join(' or ')}${didYouMean(text, names)}.`);
    return name;
  };
}

/** Several of a few names, with commas between. */
export function someOf<const T extends string>(names: readonly T[]): (text: string) => T[] {
  const one = oneOf(names);
  return (text) => list(names.join(' or '))(text).map(one);
}

/** As `milliseconds`, and at most `maxMs`. */
export function durationUpTo(maxMs: number, shown: string): (text: string) => number {
  return (text) => {
    const ms = milliseconds(text);
    if (ms > maxMs) throw new InvalidArgumentError(`expected at most ${shown}.`);
    return ms;
  };
}

/** `20%` or `0.2` of one core -> 0.2; `off`. What else somebody may mean is told apart. */
export function shareOrOff(text: string): number | 'off' {
  if (text === 'off') return 'off';
  const share = parseShare(/^[\d.]+$/.test(text) ? Number(text) : text);
  if (share !== undefined) return share;
  throw new InvalidArgumentError(whyNoShare(text.trim()));
}

function whyNoShare(text: string): string {
  const [, figure, unit = ''] = /^(-?\d*\.?\d+)\s*(.*)$/.exec(text) ?? [];
  if (figure === undefined) return `expected a share of one core like 20% or 0.2, or off${didYouMean(text, ['off'])}.`;
  if (unit !== '' && unit !== '%') return `"${unit}" is no unit of a CPU share; expected 20% or 0.2.`;
  const percent = Number(figure) * (unit === '%' ? 1 : 100);
  const shown = `this is ${Math.round(percent * 1e4) / 1e4} % of one core`;
  if (percent < 0) return `a share cannot be negative, and ${shown}.`;
  if (percent === 0) return 'a kernel that may use no CPU at all cannot run; grace pause takes it down.';
  if (percent < 100) return `expected at least 1 %, and ${shown}: its heartbeat could not keep up.`;
  const meant = unit === '' && Number(figure) <= 100 ? ` For ${figure} % write ${figure}%.` : '';
  return `a thread cannot use more than one core, and ${shown}.${meant}`;
}
