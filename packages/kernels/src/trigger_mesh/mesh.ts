import type { Message } from '@grace/bus/client';
import { didYouMean, GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Performer } from './act/perform.ts';
import type { Queue } from './act/queue.ts';
import type { FiringJournal, FiringOutcome, FiringRecord } from './fired/record.ts';
import { settle } from './gates/breaker.ts';
import { type Firing, judge, nextDueMs, type Refusal, releaseDue, type Side, type Verdict } from './gates/gate.ts';
import type { Lineage } from './gates/lineage.ts';
import type { Memory } from './gates/memory.ts';
import { createSeen } from './match/seen.ts';
import type { Subscriber } from './match/subscriber.ts';
import { createTrie } from './match/trie.ts';
import { compile, type Entry, type LiveRule } from './rules/live.ts';
import { RULE_LIMITS, type Rule, type RuleEvent } from './rules/rule.ts';

/** Refusals that are worth a line in the firing journal: a limit prevented something. */
const RECORDED: Partial<Record<Refusal, FiringOutcome>> = { cut: 'cut', rate: 'rate' };

export interface MeshParts {
  ctx: KernelContext;
  subscriber: Subscriber;
  lineage: Lineage;
  performer: Performer;
  queue: Queue;
  journal: FiringJournal;
  memory: Memory;
}

export interface Mesh {
  /** Adds a rule, or puts it in the place of the one with its id; a changed rule forgets what the old one remembered. */
  put(rule: Rule): void;
  remove(id: string): void;
  /** @throws GraceError `NOT_FOUND` with the nearest id */
  get(id: string): LiveRule;
  has(id: string): boolean;
  setEnabled(id: string, enabled: boolean): void;
  rules(): LiveRule[];
  /** Rules that look at this subject, with the side on which they do. */
  lookingAt(subject: string): Entry[];
  receive(message: Message): void;
  counters(): MeshCounters;
  stop(): void;
}

export interface MeshCounters {
  /** Events handled: each rule that looks at their subject has judged them. */
  events: number;
  judged: number;
  fired: number;
  done: number;
  failed: number;
  dropped: number;
  cut: number;
  errors: number;
}

export function createMesh(parts: MeshParts): Mesh {
  const { ctx, subscriber, lineage, performer, queue, journal, memory } = parts;
  const rules = new Map<string, LiveRule>();
  const trie = createTrie<Entry>();
  const seen = createSeen();
  const counters: MeshCounters = { events: 0, judged: 0, fired: 0, done: 0, failed: 0, dropped: 0, cut: 0, errors: 0 };
  /** Rules with a debounced firing that waits, and the one timer for the earliest of them. */
  const waiting = new Set<LiveRule>();
  let timer: NodeJS.Timeout | undefined;

  const record = (
    live: LiveRule,
    event: RuleEvent,
    entry: Pick<FiringRecord, 'outcome' | 'detail' | 'deeds'>,
    firing?: Firing,
  ): void => {
    if (live.rule.source === 'probe') return;
    const { id, subject, from, depth } = event;
    journal.add({
      atMs: ctx.clock.wallMs(),
      rule: live.rule.id,
      subject,
      event: id,
      from,
      depth,
      key: firing?.key ?? '',
      count: firing?.count ?? 1,
      ...entry,
    });
  };

  const act = async (live: LiveRule, firing: Firing): Promise<void> => {
    const deeds = await performer.perform(live.rule, firing);
    const failure = deeds.find((deed) => !deed.ok);
    if (failure) {
      counters.failed++;
      live.counts.failed++;
      live.lastError = `${failure.deed}: ${failure.error}`;
    } else {
      counters.done++;
    }
    const opened = settle(live.state.breaker, !failure, live.rule.breaker, ctx.clock.monoMs());
    if (opened) ctx.log.warn('circuit breaker opened', { rule: live.rule.id, why: live.lastError });
    memory.touch(live);
    record(live, firing.event, { outcome: failure ? 'failed' : 'done', detail: failure?.error ?? '', deeds }, firing);
  };

  const follow = (live: LiveRule, event: RuleEvent, verdict: Verdict): void => {
    if (!verdict.fires) {
      live.counts[verdict.why] = (live.counts[verdict.why] ?? 0) + 1;
      if (verdict.why === 'error') {
        counters.errors++;
        live.lastError = verdict.detail;
      }
      if (verdict.why === 'cut') {
        counters.cut++;
        ctx.log.warn('cascade cut', { rule: live.rule.id, subject: event.subject, depth: event.depth });
      }
      const outcome = RECORDED[verdict.why];
      if (outcome) record(live, event, { outcome, detail: verdict.detail, deeds: [] });
      return;
    }
    counters.fired++;
    live.counts.fired++;
    const { firing } = verdict;
    if (queue.push(() => act(live, firing))) return;
    counters.dropped++;
    live.counts.dropped++;
    // A firing that never ran must not leave a half-open breaker waiting for it.
    if (live.state.breaker.state === 'half-open')
      settle(live.state.breaker, false, live.rule.breaker, ctx.clock.monoMs());
    record(live, event, { outcome: 'dropped', detail: 'too many actions wait already', deeds: [] }, firing);
  };

  const consider = (live: LiveRule, side: Side, event: RuleEvent): void => {
    counters.judged++;
    const verdict = judge(live.compiled, live.state, side, event, ctx.clock.monoMs());
    if (!verdict.fires && verdict.why === 'debounce') hold(live);
    memory.touch(live);
    follow(live, event, verdict);
  };

  const hold = (live: LiveRule): void => {
    waiting.add(live);
    arm();
  };

  const arm = (): void => {
    clearTimeout(timer);
    timer = undefined;
    let next: number | undefined;
    for (const live of waiting) {
      const dueMs = nextDueMs(live.state);
      if (dueMs === undefined) waiting.delete(live);
      else if (next === undefined || dueMs < next) next = dueMs;
    }
    if (next === undefined || ctx.signal.aborted) return;
    timer = setTimeout(release, Math.min(60_000, Math.max(1, Math.ceil(next - ctx.clock.monoMs()))));
  };

  const release = (): void => {
    for (const live of waiting) {
      for (const { event, verdict } of releaseDue(live.rule, live.state, ctx.clock.monoMs()))
        follow(live, event, verdict);
      memory.touch(live);
    }
    arm();
  };

  const entries = (live: LiveRule): [string, Entry][] => {
    const { on, and } = live.rule;
    return and
      ? [
          [on, live.on],
          [and.on, live.and],
        ]
      : [[on, live.on]];
  };

  const mesh: Mesh = {
    put(rule) {
      if (!rules.has(rule.id) && rules.size >= RULE_LIMITS.rules) {
        throw new GraceError('TOO_LARGE', `there are ${rules.size} rules, more are not accepted`, {
          limit: RULE_LIMITS.rules,
        });
      }
      const live = compile(rule, memory.recall(rule));
      const before = rules.get(rule.id);
      // The new patterns are in use before the old ones are released, so a rule that keeps its subject keeps its subscription.
      for (const [pattern, entry] of entries(live)) {
        trie.add(pattern, entry);
        subscriber.use(pattern);
      }
      if (before) forget(before);
      rules.set(rule.id, live);
      if (nextDueMs(live.state) !== undefined) hold(live);
    },
    remove(id) {
      const live = mesh.get(id);
      forget(live);
      rules.delete(id);
      memory.forget(id);
    },
    get(id) {
      const live = rules.get(id);
      if (live) return live;
      const valid = mesh.rules().map(({ rule }) => rule.id);
      throw new GraceError('NOT_FOUND', `no rule "${id}"${didYouMean(id, valid)}`, { rule: id });
    },
    has: (id) => rules.has(id),
    setEnabled(id, enabled) {
      const live = mesh.get(id);
      live.rule.enabled = enabled;
    },
    rules: () => [...rules.values()].filter(({ rule }) => rule.source !== 'probe'),
    lookingAt: (subject) => [...trie.match(subject)],
    receive(message) {
      counters.events++;
      const event = toEvent(message, lineage);
      for (const entry of seen.fresh(`${message.from} ${message.id}`, trie.match(message.subject))) {
        consider(entry.live(), entry.side, event);
      }
    },
    counters: () => ({ ...counters }),
    stop() {
      clearTimeout(timer);
      timer = undefined;
    },
  };

  const forget = (live: LiveRule): void => {
    waiting.delete(live);
    for (const [pattern, entry] of entries(live)) {
      trie.remove(pattern, entry);
      subscriber.release(pattern);
    }
  };

  return mesh;
}

export function toEvent(message: Message, lineage: Lineage): RuleEvent {
  const { id, subject, from, at, payload, correlation = null, causation = null } = message;
  return { id, subject, from, at, payload, correlation, causation, depth: lineage.depthOf(message) };
}
