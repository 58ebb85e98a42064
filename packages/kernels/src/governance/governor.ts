import { randomUUID } from 'node:crypto';
import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { type Approval, type Approvals, createApprovals } from './approvals/approvals.ts';
import { createPermits, type DrillPermitRecord, type Permits } from './approvals/permits.ts';
import type { Engine, ResourceAttributes } from './engine/engine.ts';
import { digestOf, type Question } from './engine/question.ts';
import type { Outcome } from './engine/weigh.ts';
import { standingOf } from './policies/policy-set.ts';
import { createVersions, type Versions } from './policies/versions.ts';
import { type ActJournal, createActJournal } from './record/journal.ts';
import { createTurns, type Turns } from './record/turns.ts';

/** The answer to a question. */
export interface Decision {
  id: string;
  outcome: Outcome;
  /** Ids of the policies that determined it. */
  policies: string[];
  reason: string;
  /** Of the policies. */
  version: string;
  /** The request that stands for it, or the approval it was permitted by. */
  approval?: { id: string; state: string; until: string };
}

/** Who asks, and how. */
export interface Asking {
  /** The caller, as the wire told it. */
  asker: string;
  correlation: string | undefined;
  /** Make a request when it needs approval; it can be decided for so long, ms. */
  request?: { reason: string; forMs: number };
  attributes?: ResourceAttributes;
}

/** Decides, and keeps what it decided. What is answered is on disk. */
export interface Governor {
  readonly engine: Engine;
  readonly versions: Versions;
  readonly journal: ActJournal;
  readonly turns: Turns;
  readonly approvals: Approvals;
  readonly permits: Permits;
  /** Wall ms, never going back while this thread lives: what has expired stays so when the clock is set. */
  now(): number;
  decide(question: Question, asking: Asking): Promise<Decision>;
  /** As `decide`, within the caller's turn. */
  decideNow(question: Question, asking: Asking): Decision;
  /** Ends what is past its time. */
  expire(): Promise<void>;
  writeApproval(approval: Approval, outcome: string, actor: string, extra?: Record<string, unknown>): void;
  writePermit(permit: DrillPermitRecord, outcome: string, actor: string): void;
  /** @throws GraceError `FORBIDDEN` unless the asker speaks for itself or may ask for others */
  principalFor(asker: string, principal: string | undefined): string;
}

export function createGovernor(ctx: KernelContext, engine: Engine, onCommit: () => void): Governor {
  const { store } = ctx;
  const versions = createVersions(store);
  const journal = createActJournal(store);
  const turns = createTurns(store, onCommit);
  const approvals = createApprovals(store);
  const permits = createPermits(store);
  let latestMs = 0;
  const now = (): number => {
    latestMs = Math.max(latestMs, Math.floor(ctx.clock.wallMs()));
    return latestMs;
  };

  const governor: Governor = {
    ...{ engine, versions, journal, turns, approvals, permits, now },
    decide: (question, asking) => turns.take(() => governor.decideNow(question, asking)),
    decideNow(question, asking) {
      const nowMs = now();
      expireNow(nowMs);
      const { set } = engine;
      let { outcome, policies, reason } = engine.decide(question, asking.attributes);
      let approval: Approval | undefined;
      if (outcome === 'needs_approval' && !set.settings.approvalRequired) {
        outcome = 'permit';
        reason += '; the settings require no approvals';
      } else if (outcome === 'needs_approval') {
        const digest = digestOf(question);
        approval = approvals.open(digest, nowMs);
        if (approval?.state === 'approved') {
          approval = approvals.use(approval.id);
          if (approval.state === 'used') governor.writeApproval(approval, 'used', approval.principal);
          outcome = 'permit';
          reason += `; approved by ${approval.decidedBy}`;
        } else if (!approval && asking.request) {
          const { reason: why, forMs } = asking.request;
          const about = { asker: asking.asker, reason: why, untilMs: nowMs + forMs };
          approval = approvals.request(question, digest, about, nowMs).approval;
          governor.writeApproval(approval, 'pending', question.principal);
        }
      }
      const id = `dec-${randomUUID()}`;
      const { principal, action, resource, context } = question;
      const { version } = set;
      journal.write(
        {
          ...{ kind: 'decision', id, actor: principal, action, resource, outcome },
          payload: {
            ...{ policies, reason, version, context, asker: asking.asker },
            ...(asking.correlation === undefined ? {} : { correlation: asking.correlation }),
            ...(approval ? { approval: approval.id } : {}),
          },
        },
        nowMs,
      );
      return { id, outcome, policies, reason, version, ...(approval ? { approval: briefly(approval) } : {}) };
    },
    async expire() {
      const nowMs = now();
      if (approvals.due(nowMs) || permits.due(nowMs)) await turns.take(() => expireNow(nowMs));
    },
    writeApproval(approval, outcome, actor, extra = {}) {
      const { id, action, resource, principal, asker, untilMs, note } = approval;
      journal.write(
        {
          ...{ kind: 'approval', id: `act-${randomUUID()}`, actor, action: `approval of ${action}`, resource, outcome },
          payload: { approval: id, principal, asker, until: iso(untilMs), note, ...extra },
        },
        now(),
      );
    },
    writePermit({ id, holder, asker, faults, subjects, decision, untilMs }, outcome, actor) {
      journal.write(
        {
          ...{ kind: 'permit', id: `act-${randomUUID()}`, actor, action: 'drill permit', resource: holder, outcome },
          payload: { permit: id, asker, faults, subjects, decision, until: iso(untilMs) },
        },
        now(),
      );
    },
    principalFor(asker, principal = asker) {
      if (principal === asker || standingOf(engine.set.settings, asker).asksForOthers) return principal;
      throw new GraceError(
        'FORBIDDEN',
        `${asker} asks for itself alone, not for ${JSON.stringify(principal.slice(0, 100))}`,
        { asker },
      );
    },
  };

  /** Each row ends in the transaction that tells of it, so it ends once, whatever happens between. */
  const expireNow = (nowMs: number): void => {
    if (!approvals.due(nowMs) && !permits.due(nowMs)) return;
    for (const approval of approvals.expire(nowMs)) governor.writeApproval(approval, 'expired', 'governance');
    for (const permit of permits.expire(nowMs)) governor.writePermit(permit, 'expired', 'governance');
  };
  return governor;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function briefly({ id, state, untilMs }: Approval): { id: string; state: string; until: string } {
  return { id, state, until: iso(untilMs) };
}

/** What a refusal says to the one who is refused. */
export function refusal(what: string, { id, outcome, reason, policies, approval }: Decision): GraceError {
  if (outcome === 'needs_approval') {
    return new GraceError(
      'APPROVAL_NEEDED',
      `${what} needs an approval (${reason}); decision ${id}${approval ? `, request ${approval.id}` : ''}`,
      {
        ...{ decision: id, policies },
        ...(approval ? { approval: approval.id } : {}),
      },
    );
  }
  return new GraceError('FORBIDDEN', `${what}: ${reason}; decision ${id}`, { decision: id, policies });
}
