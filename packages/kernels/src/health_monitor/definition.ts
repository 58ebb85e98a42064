import { didYouMean, GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';
import { type Hosts, REDIRECTS_MAX, readAddress } from './address.ts';

/** A probe, checked and without optionals. Times are milliseconds. */
export interface ProbeDefinition {
  id: string;
  /** What it speaks for: a kernel id, or any name. */
  subject: string;
  /** Liveness: it is there. Readiness: it does its job. */
  aspect: 'liveness' | 'readiness';
  intervalMs: number;
  deadlineMs: number;
  /** Failures in a row that turn it to failing, passes in a row that turn it back. */
  failAfter: number;
  passAfter: number;
  check: ProbeCheck;
}

export type ProbeCheck =
  /** A verb answers. */
  | { kind: 'verb'; kernel: string; verb: string; input: unknown }
  /** An address answers with this status, and with this text in its body where one is asked for; sent on at most `redirects` times. */
  | { kind: 'http'; url: string; status: number; contains: string | null; redirects: number }
  /** A process is there, and not a zombie. */
  | { kind: 'process'; pid: number }
  /** A number in a verb's answer lies within its bounds. `path` is dotted. */
  | { kind: 'query'; kernel: string; verb: string; input: unknown; path: string; min: number; max: number };

/** Characters of an input as JSON. */
const INPUT_MAX = 16_384;
const KINDS = ['verb', 'http', 'process', 'query'] as const;
const FIELDS = {
  verb: ['kernel', 'verb', 'input'],
  http: ['url', 'status', 'contains', 'redirects'],
  process: ['pid'],
  query: ['kernel', 'verb', 'input', 'path', 'min', 'max', 'target', 'tolerance'],
} as const;

/**
 * @throws GraceError `BAD_INPUT` naming the field and what was expected, `TOO_LARGE`, `FORBIDDEN` for an address of another machine
 */
export function readDefinition(input: unknown, hosts: Hosts): ProbeDefinition {
  const raw = is.record()(input, 'input.probe');
  const kind = is.oneOf(KINDS)(raw['kind'], 'input.probe.kind');
  const common = readInput(
    pick(raw, (name) => !isCheckField(kind, name)),
    {
      kind: is.oneOf(KINDS),
      id: is.string({
        max: 100,
        pattern: /^[a-z0-9][a-z0-9_.-]*$/i,
        what: 'an id of letters, digits, "_", "-" and "."',
      }),
      subject: is.optional(
        is.string({ max: 100, pattern: /^[a-z0-9_-]+$/i, what: 'one word of letters, digits, "_" and "-"' }),
      ),
      aspect: is.optional(is.oneOf(['liveness', 'readiness'])),
      intervalMs: is.optional(is.number({ min: 100, max: 86_400_000 })),
      deadlineMs: is.optional(is.number({ min: 10, max: 60_000 })),
      failAfter: is.optional(is.number({ min: 1, max: 100, integer: true })),
      passAfter: is.optional(is.number({ min: 1, max: 100, integer: true })),
    },
  );
  const check = readCheck(
    kind,
    pick(raw, (name) => isCheckField(kind, name)),
    hosts,
  );
  const subject = common.subject ?? ('kernel' in check ? check.kernel : common.id.replaceAll('.', '-'));
  return {
    id: common.id,
    subject,
    aspect: common.aspect ?? 'readiness',
    intervalMs: common.intervalMs ?? 5000,
    deadlineMs: common.deadlineMs ?? 1000,
    failAfter: common.failAfter ?? 3,
    passAfter: common.passAfter ?? 2,
    check,
  };
}

/** The probe every kernel has without being asked: its `status` verb answers. */
export function defaultDefinition(kernel: string, intervalMs: number): ProbeDefinition {
  return {
    id: `kernel.${kernel}`,
    subject: kernel,
    aspect: 'readiness',
    intervalMs,
    deadlineMs: 1000,
    failAfter: 3,
    passAfter: 2,
    check: { kind: 'verb', kernel, verb: 'status', input: {} },
  };
}

function readCheck(kind: ProbeCheck['kind'], raw: Record<string, unknown>, hosts: Hosts): ProbeCheck {
  const name = is.string({ max: 100 });
  switch (kind) {
    case 'verb':
      return { kind, ...readInput(raw, { kernel: name, verb: name, input: asked }) };
    case 'http': {
      const given = readInput(raw, {
        url: is.string({ max: 2000 }),
        status: is.optional(is.number({ min: 100, max: 599, integer: true })),
        contains: is.optional(is.string({ max: 1000 })),
        redirects: is.optional(is.number({ min: 0, max: REDIRECTS_MAX, integer: true })),
      });
      readAddress(given.url, hosts, 'input.probe.url');
      const { url, status = 200, contains = null, redirects = 0 } = given;
      return { kind, url, status, contains, redirects };
    }
    case 'process':
      return { kind, ...readInput(raw, { pid: is.number({ min: 1, max: 2 ** 31 - 1, integer: true }) }) };
    case 'query': {
      const { min, max, target, tolerance, ...rest } = readInput(raw, {
        kernel: name,
        verb: name,
        input: asked,
        path: name,
        min: is.optional(is.number()),
        max: is.optional(is.number()),
        target: is.optional(is.number()),
        tolerance: is.optional(is.number({ min: 0 })),
      });
      return { kind, ...rest, ...bounds(min, max, target, tolerance) };
    }
  }
}

/** What is asked with goes over the bus at every look, and is kept. */
function asked(value: unknown, place: string): unknown {
  let text: string | undefined;
  try {
    text = JSON.stringify(value ?? {});
  } catch (error) {
    const why = (error as Error).message.split('\n')[0];
    throw new GraceError('BAD_INPUT', `${place}: expected what JSON can say: ${why}`, { place });
  }
  if (text === undefined) throw new GraceError('BAD_INPUT', `${place}: expected what JSON can say`, { place });
  if (text.length > INPUT_MAX)
    throw new GraceError('TOO_LARGE', `${place}: ${text.length} characters, at most ${INPUT_MAX}`, { place });
  return JSON.parse(text);
}

function bounds(min?: number, max?: number, target?: number, tolerance?: number): { min: number; max: number } {
  const isRange = min !== undefined || max !== undefined;
  const isTarget = target !== undefined && tolerance !== undefined;
  if (isRange === isTarget || (isRange && (target !== undefined || tolerance !== undefined))) {
    throw new GraceError('BAD_INPUT', 'input.probe: expected either min and/or max, or target and tolerance');
  }
  const found = isTarget
    ? { min: target - tolerance, max: target + tolerance }
    : { min: min ?? -Infinity, max: max ?? Infinity };
  if (found.min > found.max) {
    throw new GraceError('BAD_INPUT', `input.probe: expected min to be at most max, got ${found.min} and ${found.max}`);
  }
  return found;
}

function isCheckField(kind: ProbeCheck['kind'], name: string): boolean {
  const fields: readonly string[] = FIELDS[kind];
  return fields.includes(name);
}

function pick(raw: Record<string, unknown>, wanted: (name: string) => boolean): Record<string, unknown> {
  return Object.fromEntries(Object.entries(raw).filter(([name]) => wanted(name)));
}

/** @throws GraceError `NOT_FOUND` with the nearest id */
export function unknownProbe(id: string, ids: Iterable<string>): GraceError {
  return new GraceError('NOT_FOUND', `no probe is called ${JSON.stringify(id)}${didYouMean(id, ids)}`, { id });
}
