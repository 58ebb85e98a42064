import { type ErrorCode, EXIT, GraceError } from '@grace/contracts';

export const OK = 0;
export const FAILURE = 1;

/** The user's own words or files are wrong: nothing was tried. */
const USAGE_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'USAGE',
  'CONFIG_INVALID',
  'CONFIG_UNREADABLE',
  'NEEDS_CYCLE',
  'NEEDS_UNKNOWN',
  'SCENARIO_INVALID',
  'PLAYBOOK_INVALID',
]);

/** 64 for usage and configuration, 70 for what has no code of its own, else 1. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof GraceError)) return EXIT.internal;
  if (USAGE_CODES.has(error.code)) return EXIT.usage;
  return error.code === 'INTERNAL' ? EXIT.internal : FAILURE;
}

/** What to do about it, where one sentence can say that. */
export function hintOf(error: unknown): string | undefined {
  if (!(error instanceof GraceError)) return undefined;
  switch (error.code) {
    case 'NOT_RUNNING':
      return 'start one with: grace boot --detach';
    case 'HOME_TAKEN':
      return 'look at it with: grace status, end it with: grace stop, or choose another --home';
    case 'UNKNOWN_KERNEL':
      return 'grace status lists the kernels';
    case 'BUS_DENIED':
      return 'the access rules are in configs/acl.yaml, or under `grants` in grace.yaml';
    case 'DEADLINE':
      return 'grace status and grace logs tell what the system is doing';
    default:
      return undefined;
  }
}
