import { GraceError, type VerbMeta } from '@grace/contracts';
import { is, readInput, type Verb } from '@grace/kernel-sdk';
import { APPROVAL_STATES, type Approval } from './approvals/approvals.ts';
import { type DrillPermitRecord, PERMIT_STATES } from './approvals/permits.ts';
import { identifier, QUESTION_SHAPE, readQuestion } from './engine/question.ts';
import { type Decision, type Governor, iso, refusal } from './governor.ts';
import type { Keeper } from './keeper.ts';
import type { Checker, CheckTask } from './policies/checker.ts';
import { standingOf } from './policies/policy-set.ts';

const MINUTE_MS = 60_000;
const REQUEST_MS = 60 * MINUTE_MS;
const REQUEST_MAX_MS = 7 * 24 * 60 * MINUTE_MS;
/** How long a single approval waits to be used. */
const SINGLE_MS = 15 * MINUTE_MS;
const APPROVAL_MAX_MS = 24 * 60 * MINUTE_MS;
const PERMIT_MAX_MS = 24 * 60 * MINUTE_MS;

const text = is.string({ max: 1000 });
const id = is.string({ max: 100 });
const limit = is.optional(is.number({ min: 1, max: 1000, integer: true }));
const files = is.array(is.record(), { max: 100 });
const FILE_NAME = is.string({
  max: 100,
  pattern: /^[A-Za-z0-9][\w.-]*\.(cedar|cedarschema|yaml)$/,
  what: 'a file name like mine.cedar',
});

export function createVerbs(
  governor: Governor,
  keeper: Keeper,
  check: Checker,
  status: () => Record<string, unknown>,
): Record<string, Verb> {
  const { engine, turns, approvals, permits, now } = governor;

  const readAsked = (given: Parameters<typeof readQuestion>[0] & { principal: string | undefined }, meta: VerbMeta) =>
    readQuestion(given, governor.principalFor(meta.from, given.principal), engine.set);

  /** Somebody decides a request: somebody else than who made it, and who may. */
  const settle = async (
    requestId: string,
    meta: VerbMeta,
    apply: (nowMs: number) => Approval,
    outcome: 'approved' | 'denied',
  ): Promise<Record<string, unknown>> => {
    const by = meta.from;
    await governor.expire();
    const settled = await turns.take((): { approval: Approval } | { refused: Decision } => {
      const { principal, asker, action } = approvals.get(requestId);
      if (outcome === 'approved' && (by === principal || by === asker)) {
        throw new GraceError('FORBIDDEN', `${by} made request ${requestId}; somebody else must decide it`, {
          id: requestId,
        });
      }
      const question = { principal: by, action: 'decide_request', resource: requestId, context: {} };
      const attributes = { requester: { __entity: { type: 'Principal', id: principal } }, action };
      const decision = governor.decideNow(question, { asker: by, correlation: meta.correlation, attributes });
      if (decision.outcome !== 'permit') return { refused: decision };
      const approval = apply(now());
      governor.writeApproval(approval, outcome, by, { decision: decision.id, single: approval.single });
      return { approval };
    });
    if ('refused' in settled) throw refusal(`${by} deciding request ${requestId}`, settled.refused);
    return showApproval(settled.approval);
  };

  return {
    async decide(input, meta: VerbMeta) {
      const given = readInput(input, { ...QUESTION_SHAPE, reason: is.optional(text) });
      return governor.decide(readAsked(given, meta), { asker: meta.from, correlation: meta.correlation });
    },
    async request(input, meta: VerbMeta) {
      const given = readInput(input, {
        ...QUESTION_SHAPE,
        reason: is.optional(text),
        expiresMs: is.optional(is.number({ min: 100, max: REQUEST_MAX_MS })),
      });
      const request = { reason: given.reason ?? '', forMs: given.expiresMs ?? REQUEST_MS };
      return governor.decide(readAsked(given, meta), { asker: meta.from, correlation: meta.correlation, request });
    },
    async approve(input, meta: VerbMeta) {
      const given = readInput(input, {
        id,
        note: is.optional(text),
        forMs: is.optional(is.number({ min: 100, max: APPROVAL_MAX_MS })),
      });
      return settle(
        given.id,
        meta,
        (nowMs) => {
          const untilMs = nowMs + Math.floor(given.forMs ?? SINGLE_MS);
          const by = { principal: meta.from, note: given.note ?? null, single: given.forMs === undefined, untilMs };
          return approvals.approve(given.id, by, nowMs);
        },
        'approved',
      );
    },
    async deny(input, meta: VerbMeta) {
      const given = readInput(input, { id, note: is.optional(text) });
      const by = { principal: meta.from, note: given.note ?? null };
      return settle(given.id, meta, (nowMs) => approvals.deny(given.id, by, nowMs), 'denied');
    },
    async approvals(input) {
      const given = readInput(input, { state: is.optional(is.oneOf(APPROVAL_STATES)), limit });
      await governor.expire();
      return approvals.list(given.state, given.limit ?? 100).map(showApproval);
    },
    async permit(input, meta: VerbMeta) {
      const given = readInput(input, {
        holder: identifier('a holder', 200),
        faults: is.array(id, { max: 100 }),
        subjects: is.optional(is.array(is.string({ max: 256 }), { max: 64 })),
        forMs: is.number({ min: 1, max: PERMIT_MAX_MS }),
        armed: is.boolean(),
        principal: QUESTION_SHAPE.principal,
      });
      const durationMs = Math.ceil(given.forMs);
      const context = { faults: given.faults, subjects: given.subjects ?? [], durationMs, armed: given.armed };
      const asked = { action: 'inject_faults', resource: 'system', context, principal: given.principal };
      const question = readAsked(asked, meta);
      const request = { reason: `drill of ${given.holder}`, forMs: REQUEST_MS };
      const issued = await turns.take(() => {
        const decision = governor.decideNow(question, { asker: meta.from, correlation: meta.correlation, request });
        if (decision.outcome !== 'permit') return { decision };
        const { holder, faults, subjects = [] } = given;
        const span = { fromMs: now(), untilMs: now() + durationMs };
        const permit = permits.issue({ holder, faults, subjects, asker: meta.from, decision: decision.id, ...span });
        governor.writePermit(permit, 'issued', question.principal);
        return { decision, permit };
      });
      if (!issued.permit) throw refusal(`a drill by ${given.holder}`, issued.decision);
      return { ...showPermit(issued.permit), policies: issued.decision.policies };
    },
    async revoke(input, meta: VerbMeta) {
      const given = readInput(input, { id });
      const permit = await turns.take(() => {
        const { asker } = permits.get(given.id);
        if (meta.from !== asker && standingOf(engine.set.settings, meta.from).kind !== 'operator') {
          throw new GraceError('FORBIDDEN', `${meta.from} may not revoke a permit that ${asker} asked for`, {
            id: given.id,
          });
        }
        const revoked = permits.revoke(given.id, now());
        governor.writePermit(revoked, 'revoked', meta.from);
        return revoked;
      });
      return showPermit(permit);
    },
    async permits(input) {
      const given = readInput(input, { state: is.optional(is.oneOf(PERMIT_STATES)), limit });
      await governor.expire();
      return permits.list(given.state, given.limit ?? 100).map(showPermit);
    },
    async policies(input) {
      readInput(input, {});
      const { set } = engine;
      return {
        version: set.version,
        policies: Object.entries(set.notes).map(([name, note]) => ({ id: name, ...note })),
        actions: set.actions,
        settings: set.settings,
        versions: governor.versions.list().map(({ atMs, ...rest }) => ({ ...rest, at: iso(atMs) })),
        sources: await keeper.pending(),
      };
    },
    async reload(input, meta: VerbMeta) {
      readInput(input, {});
      return keeper.reload(meta.from);
    },
    async simulate(input, meta: VerbMeta) {
      const given = readInput(input, { ...QUESTION_SHAPE, version: is.optional(id), files: is.optional(files) });
      const { action, resource, context } = given;
      const principal = given.principal ?? meta.from;
      const other = otherPolicies(given.version, given.files);
      if (!other) {
        const question = readQuestion(given, principal, engine.set);
        return { ...engine.decide(question), version: engine.set.version, simulated: true };
      }
      const { set, verdict } = await check({ ...other, question: { principal, action, resource, context } });
      return { ...verdict, version: set.version, simulated: true };
    },
    decisions(input) {
      const given = readInput(input, { id: is.optional(id), limit });
      const found = given.id === undefined ? undefined : governor.journal.find(given.id);
      if (given.id !== undefined && !found)
        throw new GraceError('NOT_FOUND', `there is no decision "${given.id}" among those kept`, { id: given.id });
      return (found ? [found] : governor.journal.read('decision', given.limit ?? 50)).map(
        ({ atMs, seq: _, kind: __, payload, ...act }) => ({
          at: iso(atMs),
          ...act,
          ...payload,
        }),
      );
    },
    status(input) {
      readInput(input, {});
      return status();
    },
  };

  function otherPolicies(
    version: string | undefined,
    given: Record<string, unknown>[] | undefined,
  ): CheckTask | undefined {
    if (version === undefined && given === undefined) return undefined;
    const base = version === undefined ? engine.set : governor.versions.get(version);
    if (!base) {
      throw new GraceError(
        'NOT_FOUND',
        `no version of the policies has the hash "${version}"; the verb policies lists them`,
        { version },
      );
    }
    if (given === undefined) return { set: base };
    const named = new Map(base.files.map((file) => [file.name, file]));
    for (const one of given) {
      const file = readInput(one, { name: FILE_NAME, text: is.string({ min: 0, max: 256 * 1024 }) });
      named.set(file.name, file);
    }
    return { files: [...named.values()].sort((a, b) => (a.name < b.name ? -1 : 1)) };
  }
}

function showApproval({ requestedMs, untilMs, decidedMs, ...approval }: Approval): Record<string, unknown> {
  return {
    ...approval,
    requested: iso(requestedMs),
    until: iso(untilMs),
    decided: decidedMs === null ? null : iso(decidedMs),
  };
}

function showPermit({ fromMs, untilMs, endedMs, ...permit }: DrillPermitRecord): Record<string, unknown> {
  return { ...permit, from: iso(fromMs), until: iso(untilMs), ended: endedMs === null ? null : iso(endedMs) };
}
