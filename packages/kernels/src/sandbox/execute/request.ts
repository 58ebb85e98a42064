import { isAbsolute, normalize } from 'node:path';
import { didYouMean, GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';

/** Bounds of what a caller may ask; times ms, sizes bytes. */
export const EXECUTE_LIMITS = {
  timeoutMs: { min: 10, max: 300_000, normal: 10_000 },
  memoryBytes: { min: 64 * 1024 ** 2, max: 2 * 1024 ** 3, normal: 256 * 1024 ** 2 },
  outputBytes: { min: 1024, max: 4 * 1024 ** 2, normal: 256 * 1024 },
  fileBytes: { min: 1024, max: 256 * 1024 ** 2, normal: 16 * 1024 ** 2 },
  diskBytes: { min: 1024, max: 1024 ** 3, normal: 64 * 1024 ** 2 },
  processes: { min: 1, max: 64, normal: 16 },
} as const;
export type ExecuteLimits = Record<keyof typeof EXECUTE_LIMITS, number>;

const FILES_MAX = 200;
const FILES_LENGTH = 1024 ** 2;
const ARGS_MAX = 200;
const ARG_LENGTH = 8192;
const PATH_LENGTH = 200;
const STDIN_LENGTH = 1024 ** 2;

export interface ExecuteRequest {
  id: string | undefined;
  /** `node`, or an absolute path. */
  command: string;
  args: readonly string[];
  /** Relative path -> text. */
  files: ReadonlyMap<string, string>;
  stdin: string;
  network: boolean;
  /** Run with whatever isolation there is. */
  acceptsWeak: boolean;
  limits: ExecuteLimits;
}

export const runId = is.optional(is.string({ max: 64, pattern: /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/, what: 'an id' }));

/** @throws GraceError `BAD_INPUT`, `TOO_LARGE`, `FORBIDDEN` for a path outside or a command that is not allowed */
export function readExecute(input: unknown, commands: readonly string[]): ExecuteRequest {
  const amount = (name: keyof ExecuteLimits) => {
    const { min, max } = EXECUTE_LIMITS[name];
    return is.optional(is.number({ min, max, integer: true }));
  };
  const given = readInput(input, {
    id: runId,
    command: is.string({ max: 4096 }),
    args: is.optional(is.array(is.string({ min: 0, max: ARG_LENGTH, pattern: /^[^\0]*$/ }), { max: ARGS_MAX })),
    files: is.optional(is.record()),
    stdin: is.optional(is.string({ min: 0, max: STDIN_LENGTH })),
    network: is.optional(is.boolean()),
    isolation: is.optional(is.oneOf(['full', 'weak'])),
    timeoutMs: amount('timeoutMs'),
    memoryBytes: amount('memoryBytes'),
    outputBytes: amount('outputBytes'),
    fileBytes: amount('fileBytes'),
    diskBytes: amount('diskBytes'),
    processes: amount('processes'),
  });
  const names = Object.keys(EXECUTE_LIMITS) as (keyof ExecuteLimits)[];
  const files = readFiles(given.files ?? {});
  const args = given.args ?? [];
  const { command } = given;
  if (command === 'node') {
    // Flags of Node could lift its permissions, so the first argument is a file, and what follows it is the program's own.
    const script = args[0] === undefined ? undefined : normalize(args[0]);
    if (script === undefined || !files.has(script)) {
      throw new GraceError(
        'BAD_INPUT',
        `input.args[0]: expected one of the files (${[...files.keys()].slice(0, 10).join(', ') || 'none given'}), got ${
          args[0] === undefined ? 'nothing' : JSON.stringify(args[0].slice(0, 60))
        }`,
      );
    }
  } else if (!commands.includes(command)) {
    const known = ['node', ...commands];
    throw new GraceError(
      'FORBIDDEN',
      `input.command: ${JSON.stringify(command.slice(0, 60))} may not be run${didYouMean(command.slice(0, 60), known)}; allowed: ${known.join(', ')} (kernels.sandbox.config.commands)`,
    );
  }
  return {
    ...{ id: given.id, command, args, files, stdin: given.stdin ?? '' },
    network: given.network ?? false,
    acceptsWeak: given.isolation === 'weak',
    limits: Object.fromEntries(
      names.map((name) => [name, given[name] ?? EXECUTE_LIMITS[name].normal]),
    ) as ExecuteLimits,
  };
}

function readFiles(given: Record<string, unknown>): Map<string, string> {
  const entries = Object.entries(given);
  if (entries.length > FILES_MAX)
    throw new GraceError('TOO_LARGE', `input.files: at most ${FILES_MAX} files, got ${entries.length}`);
  const files = new Map<string, string>();
  let length = 0;
  for (const [name, value] of entries) {
    const text = is.string({ min: 0, max: FILES_LENGTH })(value, `input.files[${JSON.stringify(name.slice(0, 60))}]`);
    length += text.length;
    if (length > FILES_LENGTH)
      throw new GraceError('TOO_LARGE', `input.files: at most ${FILES_LENGTH} characters in all`);
    const path = insidePath(name);
    if (files.has(path)) throw new GraceError('BAD_INPUT', `input.files: two entries for "${path}"`);
    files.set(path, text);
  }
  for (const path of files.keys()) {
    for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
      if (files.has(path.slice(0, at)))
        throw new GraceError('BAD_INPUT', `input.files: "${path.slice(0, at)}" cannot be a file and a folder`);
    }
  }
  return files;
}

/** A relative path that stays in its folder, in its shortest form. */
export function insidePath(name: string): string {
  const place = `input.files[${JSON.stringify(name.slice(0, 60))}]`;
  const isPlain = name.length > 0 && name.length <= PATH_LENGTH && !/[\0-\x1f\\]/.test(name) && !name.endsWith('/');
  if (!isPlain)
    throw new GraceError('BAD_INPUT', `${place}: expected a relative path of 1 to ${PATH_LENGTH} plain characters`);
  const path = normalize(name);
  if (isAbsolute(path) || path === '.' || path === '..' || path.startsWith('../'))
    throw new GraceError('FORBIDDEN', `${place}: is outside the folder of the run`);
  return path;
}
