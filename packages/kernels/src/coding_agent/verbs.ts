import { realpath } from 'node:fs/promises';
import { didYouMean, GraceError, type VerbMeta } from '@grace/contracts';
import { askGovernance, expectPermit, is, type KernelContext, readInput, type Verb } from '@grace/kernel-sdk';
import type { Outbox } from './access/outbox.ts';
import { SCOPES } from './change/candidate.ts';
import type { FindingsStore, KeptFinding } from './scan/findings-store.ts';
import type { Scanner } from './scan/scanner.ts';
import type { Settings } from './settings.ts';
import type { Analyst } from './tasks/analyst.ts';
import type { Act, Carrier } from './tasks/carry.ts';
import type { TaskQueue } from './tasks/queue.ts';
import { TASK_STATES, type Task } from './tasks/task.ts';
import { openRoot, readFilePath } from './tree/place.ts';
import { KINDS, kindOf } from './tree/walk.ts';

export interface VerbParts {
  ctx: KernelContext;
  settings: Settings;
  scanner: Scanner;
  findings: FindingsStore;
  queue: TaskQueue;
  analyst: Analyst;
  carrier: Carrier;
  outbox: Outbox;
  boundsOf(): Promise<readonly string[]>;
  facts(): Promise<Record<string, unknown>>;
}

const PAGE_MAX = 500;
const PAGE = 50;
const RULES_SHOWN = 20;
const TASKS_MAX = 500;
/** What a scan leaves of its caller's time for the answer. */
const MARGIN_MS = 200;
/** A request ends after an hour; then it is asked anew. */
const APPROVAL_MS = 3_500_000;
/** A caller waits. */
const ASKING = { deadlineMs: 1000 };
const path = is.string({ max: 4096, pattern: /^[^\0]*$/, what: 'a path' });
const id = is.string({ max: 100 });

export function createVerbs(parts: VerbParts): Record<string, Verb> {
  const { ctx, settings, scanner, findings, queue, analyst, carrier, boundsOf } = parts;

  const pageOf = (root: string, limit = PAGE, offset = 0) => {
    const items = findings.page(root, limit + 1, offset);
    return { items: items.slice(0, limit).map(shownFinding), next: items.length > limit ? offset + limit : null };
  };
  const signalOf = (meta: VerbMeta): AbortSignal =>
    AbortSignal.any([ctx.signal, AbortSignal.timeout(Math.max(1, meta.deadlineMs - MARGIN_MS))]);

  const questionOf = (task: Task, act: Act) => {
    const change = task.change!;
    const files = change.files.map((file) => `${task.root}/${file}`);
    return act === 'apply'
      ? {
          action: 'apply_change',
          resource: change.id,
          context: { files, lines: change.lines, verified: true, kind: change.strategy },
          reason: `${change.reason} (${task.finding.rule} in ${task.finding.file})`,
        }
      : { action: 'revert_change', resource: change.id, context: { files }, reason: `takes back ${change.strategy}` };
  };
  const noteApproval = (task: Task, approval: string): void => {
    const untilMs = Math.round(ctx.clock.wallMs()) + APPROVAL_MS;
    queue.note(task.id, { approval: { id: approval, change: task.change!.id, untilMs } });
  };
  const act = async (input: unknown, { from }: VerbMeta, what: Act): Promise<Record<string, unknown>> => {
    const task = queue.get(readInput(input, { id }).id);
    expectState(task, what === 'apply' ? 'verified' : 'applied', what);
    try {
      await carrier.check(task, what);
      const question = questionOf(task, what);
      const decision = await askGovernance(ctx, question, ASKING);
      if (decision.outcome === 'needs_approval' && decision.approval) noteApproval(task, decision.approval);
      expectPermit(decision, `${question.action} ${question.resource}`);
      // Asked for again, or changed by another call meanwhile: the permit was for that patch.
      const now = queue.get(task.id);
      if (now.change?.id !== task.change!.id)
        throw new GraceError('CONFLICT', `task "${task.id}" has another patch by now`);
      expectState(now, what === 'apply' ? 'verified' : 'applied', what);
      return { ...shownTask(await carrier.carryOut(now, what, from, decision.id)), decision: decision.id };
    } catch (error) {
      if (error instanceof GraceError) carrier.refused(task, what, from, error);
      throw error;
    }
  };

  return {
    async scan(input: unknown, meta: VerbMeta) {
      const given = readInput(input, {
        root: is.optional(path),
        kinds: is.optional(is.array(is.oneOf(KINDS), { max: 10 })),
        scan: is.optional(id),
        limit: is.optional(is.number({ min: 1, max: PAGE_MAX, integer: true })),
        offset: is.optional(is.number({ min: 0, max: 1e9, integer: true })),
      });
      if (given.scan !== undefined) {
        const root = findings.rootOfScan(given.scan);
        if (root === undefined)
          throw new GraceError(
            'NOT_FOUND',
            `there is no scan "${given.scan}"${didYouMean(given.scan, findings.scanIds())}`,
          );
        return {
          scan: given.scan,
          root,
          findings: totalsOf(findings, root),
          ...pageOf(root, given.limit, given.offset),
        };
      }
      if (given.root === undefined)
        throw new GraceError('BAD_INPUT', 'input.root: expected a folder to scan, or input.scan, got neither');
      const root = await openRoot(given.root, settings.roots);
      const kinds = given.kinds?.length ? [...new Set(given.kinds)] : KINDS;
      const summary = await scanner.scan({ root, bounds: await boundsOf(), kinds, signal: signalOf(meta) });
      return { ...summary, findings: totalsOf(findings, root), ...pageOf(root, given.limit, given.offset) };
    },

    async submit(input: unknown, meta: VerbMeta) {
      const given = readInput(input, {
        finding: is.optional(is.string({ max: 64 })),
        root: is.optional(path),
        file: is.optional(path),
        rule: is.optional(is.string({ max: 100 })),
        scope: is.optional(is.oneOf(SCOPES)),
        priority: is.optional(is.number({ min: 0, max: 9, integer: true })),
        why: is.optional(is.string({ max: 1000 })),
      });
      const finding = await findingFor(given, meta);
      if ((await openRoot(finding.root, settings.roots)) !== finding.root)
        throw new GraceError('FORBIDDEN', `${finding.root} leads elsewhere now`);
      const { task, repeated } = queue.submit({
        finding,
        scope: given.scope ?? 'finding',
        priority: given.priority ?? 5,
        why: given.why ?? null,
        by: meta.from,
      });
      analyst.wake();
      return { ...shownTask(task), repeated };
    },

    task: (input: unknown) => {
      const task = queue.get(readInput(input, { id }).id);
      return {
        ...shownTask(task),
        finding: shownFinding({ ...task.finding, root: task.root, places: 1 }),
        steps: task.steps.map(shownStep),
      };
    },
    tasks(input: unknown) {
      const { state, limit } = readInput(input, {
        state: is.optional(is.oneOf(TASK_STATES)),
        limit: is.optional(is.number({ min: 1, max: TASKS_MAX, integer: true })),
      });
      return queue.list(state, limit ?? PAGE).map((task) => {
        const { change, ...rest } = shownTask(task);
        return { ...rest, change: change && { ...change, diff: undefined } };
      });
    },

    async approve(input: unknown) {
      const task = queue.get(readInput(input, { id }).id);
      expectState(task, 'verified', 'approve');
      const change = task.change!.id;
      const asked = task.approval;
      // Asked again, a request that was granted meanwhile would be used up here instead of by `apply`.
      if (asked?.change === change && asked.untilMs > ctx.clock.wallMs())
        return { id: task.id, change, outcome: 'needs_approval', approval: asked.id, asked: 'before' };
      const answer = await askGovernance(ctx, questionOf(task, 'apply'), ASKING);
      const { outcome, policies, reason, approval, id: decision } = answer;
      if (outcome === 'needs_approval' && approval) noteApproval(task, approval);
      return { id: task.id, change, outcome, policies, reason, decision, approval, asked: 'now' };
    },
    apply: (input: unknown, meta: VerbMeta) => act(input, meta, 'apply'),
    revert: (input: unknown, meta: VerbMeta) => act(input, meta, 'revert'),

    async status(input: unknown) {
      readInput(input, {});
      return await parts.facts();
    },
  };

  /** Looked up; by file and rule, the file's kind is scanned first, so that it is known as it is now. */
  async function findingFor(
    given: {
      finding?: string | undefined;
      root?: string | undefined;
      file?: string | undefined;
      rule?: string | undefined;
    },
    meta: VerbMeta,
  ): Promise<KeptFinding> {
    const { finding: signature, file, rule } = given;
    if (signature !== undefined) {
      const root = given.root === undefined ? undefined : await openRoot(given.root, settings.roots);
      const known = findings.bySignature(signature).filter((one) => root === undefined || one.root === root);
      if (known.length > 1) {
        const roots = known.map((one) => one.root).join(', ');
        throw new GraceError('CONFLICT', `the finding is in several trees: ${roots}; input.root says which is meant`);
      }
      if (known[0]) return known[0];
      throw new GraceError('NOT_FOUND', `no scan has a finding "${signature}"; scan its root first`);
    }
    if (given.root === undefined || file === undefined || rule === undefined)
      throw new GraceError('BAD_INPUT', 'input: expected finding, or root, file and rule');
    const root = await openRoot(given.root, settings.roots);
    const inside = readFilePath(file);
    const kind = kindOf(inside);
    if (kind === undefined)
      throw new GraceError('UNSUPPORTED_TYPE', `${inside} is of no language that is read: ${KINDS.join(', ')}`);
    await scanner.scan({ root, bounds: await boundsOf(), kinds: [kind], signal: signalOf(meta) });
    const known = findings.byRule(root, inside, rule);
    if (known) return known;
    const rules = findings.rules(root, inside);
    throw new GraceError(
      'NOT_FOUND',
      `${inside} has no finding of the rule "${rule}"${didYouMean(rule, rules)}; it has ${rules.join(', ') || 'none'}`,
    );
  }
}

/** The configured roots that exist, with every link followed. */
export async function realRoots(roots: readonly string[]): Promise<string[]> {
  const real = await Promise.all(roots.map((root) => realpath(root).catch(() => null)));
  return real.filter((root) => root !== null);
}

function expectState(task: Task, state: Task['state'], what: string): void {
  if (task.state === state && task.change) return;
  const why = task.error === null ? '' : ` (${task.error})`;
  throw new GraceError('CONFLICT', `task "${task.id}" is ${task.state}${why}; to ${what} it, it must be ${state}`, {
    state: task.state,
  });
}

function totalsOf(findings: FindingsStore, root: string) {
  const totals = findings.totals(root);
  const sum = (severity?: string): number =>
    totals.reduce((count, one) => count + (severity === undefined || one.severity === severity ? one.n : 0), 0);
  return {
    total: sum(),
    errors: sum('error'),
    warnings: sum('warning'),
    byRule: Object.fromEntries(totals.slice(0, RULES_SHOWN).map(({ rule, n }) => [rule, n])),
  };
}

function shownFinding({ signature, file, kind, rule, severity, message, line, column, places }: KeptFinding) {
  return { finding: signature, file, kind, rule, severity, message, line, column, places };
}

function shownTask({
  id,
  root,
  signature,
  finding,
  scope,
  state,
  priority,
  why,
  by,
  attempt,
  error,
  change,
  approval,
  submittedMs,
  updatedMs,
}: Task) {
  const iso = (ms: number): string => new Date(ms).toISOString();
  const { file, rule, message } = finding;
  return {
    ...{ id, state, root, file, rule, message, signature, scope, priority, why, by, attempt, error, change },
    approval: approval?.id ?? null,
    ...{ submitted: iso(submittedMs), updated: iso(updatedMs) },
  };
}

function shownStep({ state, atMs, note }: Task['steps'][number]) {
  return { state, at: new Date(atMs).toISOString(), ...(note === undefined ? {} : { note }) };
}
