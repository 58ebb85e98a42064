import { setTimeout } from 'node:timers/promises';
import { type ErrorCode, GraceError, toWireError } from '@grace/contracts';
import type { KernelContext } from '../kernel.ts';
import { type Decision, expectPermit, readDecision } from './decision.ts';

/** What may somebody do with what? Fields and actions: docs/kernels/governance.md. */
export interface Question {
  action: string;
  resource: string;
  /** In whose name; without it, the kernel's own. Governance lets only some ask for others. */
  principal?: string;
  /** What the policies may look at. An approval is for exactly this. */
  context?: Record<string, unknown>;
  /** For who reads the request or the record; cut at 1000 characters. */
  reason?: string;
}

export interface AskOptions {
  /**
   * `request` (the default) leaves a request for approval where one is needed; `decide` does not; both use a single approval up.
   * `simulate` is a question only: no record, no effect.
   */
  verb?: 'request' | 'decide' | 'simulate';
  /** What is to be done, for the error; without it, action and resource. */
  what?: string;
  /** Of one try, ms. */
  deadlineMs?: number;
  tries?: number;
  correlation?: string | undefined;
  /** How long the request lives, ms; brought into what governance takes. */
  expiresMs?: number;
}

const DEADLINE_MS = 2000;
const TRIES = 2;
/** Before a further try: a governance that is being restarted is back soon. */
const PAUSE_MS = 100;
const REASON_CHARS = 1000;
/** What governance takes. */
const EXPIRES_MIN_MS = 100;
const EXPIRES_MAX_MS = 7 * 24 * 3_600_000;

/** It was asked and will say the same again; and who repeats what the bus denies is muted. */
const LASTING: ReadonlySet<ErrorCode> = new Set(['BAD_INPUT', 'TOO_LARGE', 'FORBIDDEN', 'BUS_DENIED']);

/**
 * Asks the governance kernel. Policies and approvals change live, so what it answers is for now and is not to be kept.
 * @throws GraceError `GOVERNANCE_UNREACHABLE` for everything that is no decision: nobody there, a late answer, a malformed one, an error. `cause`
 * is the last of them, `details.cause` its code.
 */
export async function askGovernance(
  ctx: Pick<KernelContext, 'call' | 'signal'>,
  question: Question,
  options: AskOptions = {},
): Promise<Decision> {
  const { verb = 'request', deadlineMs = DEADLINE_MS, tries = TRIES, correlation } = options;
  const { what = whatOf(question) } = options;
  const input = inputOf(question, verb, options.expiresMs);
  for (let left = tries - 1; ; left--) {
    try {
      const calling = { deadlineMs, ...(correlation === undefined ? {} : { correlation }) };
      return readDecision(await ctx.call('governance', verb, input, calling), verb === 'simulate');
    } catch (error) {
      const { code, message } = toWireError(error);
      if (left <= 0 || LASTING.has(code)) {
        const { action, resource, principal } = question;
        throw new GraceError(
          'GOVERNANCE_UNREACHABLE',
          `governance could not be asked (${code}: ${message}), so ${what} was not done`,
          { action, resource, ...(principal === undefined ? {} : { principal }), cause: code },
          { cause: error },
        );
      }
    }
    // A kernel that is to end waits for nothing.
    await setTimeout(PAUSE_MS, undefined, { signal: ctx.signal }).catch(() => {});
  }
}

/**
 * `askGovernance`, and goes on only with a permit. Answers the decision that gave it.
 * @throws GraceError `FORBIDDEN`, `APPROVAL_NEEDED` (a request stands then), `GOVERNANCE_UNREACHABLE`
 */
export async function requirePermit(
  ctx: Pick<KernelContext, 'call' | 'signal'>,
  question: Question,
  options: AskOptions = {},
): Promise<Decision> {
  const decision = await askGovernance(ctx, question, options);
  expectPermit(decision, options.what ?? whatOf(question));
  return decision;
}

function whatOf({ action, resource, principal }: Question): string {
  return `${action} ${resource}${principal === undefined ? '' : ` for ${principal}`}`;
}

/** Each verb refuses fields it does not know. */
function inputOf(question: Question, verb: AskOptions['verb'], expiresMs: number | undefined): Record<string, unknown> {
  const { reason, ...asked } = question;
  return {
    ...asked,
    ...(reason && verb !== 'simulate' ? { reason: reason.slice(0, REASON_CHARS) } : {}),
    ...(expiresMs !== undefined && verb === 'request'
      ? { expiresMs: Math.min(EXPIRES_MAX_MS, Math.max(EXPIRES_MIN_MS, expiresMs)) }
      : {}),
  };
}
