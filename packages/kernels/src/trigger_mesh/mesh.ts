import type { Message } from '@grace/bus/client';
import { didYouMean, GraceError, toWireError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { createCarrier } from './act/carrier.ts';
import type { Intention } from './act/intention.ts';
import type { Performer } from './act/perform.ts';
import type { Queue } from './act/queue.ts';
import type { FiringJournal } from './fired/journal.ts';
import type { DeedResult, FiringOutcome } from './fired/record.ts';
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
  /** Resolves when every rule has judged the event and what fires is on record. */
  receive(message: Message): Promise<void>;
  /** Carries out what an earlier life intended; what its rule no longer wants is dropped. Returns how many are carried out. */
  resume(left: Intention[]): number;
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

  const ended = (intention: Intention, outcome: FiringOutcome, detail: string, deeds: DeedResult[]): void => {
    if (intention.seq === 0) return;
    const { rule, event, key, count, firing } = intention;
    const { id, subject, from, depth } = event;
    const facts = { rule, subject, event: id, from, depth, key, count, firing };
    journal.add({ atMs: ctx.clock.wallMs(), outcome, detail, deeds, ...facts }, intention);
  };

  /** A firing that a limit prevented. */
  const refused = (live: LiveRule, event: RuleEvent, outcome: FiringOutcome, detail: string, firing?: Firing): void => {
    if (live.rule.source === 'probe') return;
    const { id, subject, from, depth } = event;
    const facts = {
      rule: live.rule.id,
      subject,
      event: id,
      from,
      depth,
      key: firing?.key ?? '',
      count: firing?.count ?? 1,
    };
    journal.add({ atMs: ctx.clock.wallMs(), outcome, detail, deeds: [], firing: null, ...facts });
  };

  const fail = (live: LiveRule, why: string): void => {
    counters.failed++;
    live.counts.failed++;
    live.lastError = why;
    settleBreaker(live, false);
  };

  /** What a breaker has become is on disk at once: a rule that fails in each life must not begin anew in each. */
  const settleBreaker = (live: LiveRule, ok: boolean): void => {
    const { breaker } = live.state;
    const { state, failures } = breaker;
    const opened = settle(breaker, ok, live.rule.breaker, ctx.clock.monoMs());
    if (opened) ctx.log.warn('circuit breaker opened', { rule: live.rule.id, why: live.lastError });
    if (breaker.state !== state || breaker.failures !== failures) memory.keep(live);
  };

  const carrier = createCarrier(ctx, { lineage, performer, queue, journal }, (intention, deeds) => {
    const failure = deeds.find((deed) => !deed.ok);
    // A kernel that is ending leaves what it could not do to the next life.
    if (failure && ctx.signal.aborted) return;
    const why = deeds.length === 0 ? 'the firing could not be put on record' : (failure?.error ?? '');
    const live = rules.get(intention.rule);
    if (why === '') {
      counters.done++;
      if (live) settleBreaker(live, true);
    } else if (live) fail(live, failure ? `${failure.deed}: ${why}` : why);
    else counters.failed++;
    // What never was on record has no end there.
    if (deeds.length > 0) ended(intention, failure ? 'failed' : 'done', why, deeds);
  });

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
      if (outcome) refused(live, event, outcome, verdict.detail);
      return;
    }
    counters.fired++;
    live.counts.fired++;
    const { firing } = verdict;
    try {
      if (carrier.take(live.rule, firing)) return;
    } catch (error) {
      const { code, message } = toWireError(error);
      fail(live, `${code}: ${message}`);
      refused(live, event, 'failed', `${code}: ${message}`, firing);
      return;
    }
    counters.dropped++;
    live.counts.dropped++;
    // A firing that never ran must not leave a half-open breaker waiting for it.
    if (live.state.breaker.state === 'half-open') settleBreaker(live, false);
    refused(live, event, 'dropped', 'too many firings wait already', firing);
  };

  const consider = (live: LiveRule, side: Side, event: RuleEvent, isRepeat: boolean): void => {
    counters.judged++;
    // Its acknowledgement was lost with an earlier life, its firing was not.
    if (isRepeat && journal.knows(live.rule.id, event)) {
      follow(live, event, { fires: false, why: 'repeated', detail: 'the rule has fired for this event' });
      return;
    }
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
        consider(entry.live(), entry.side, event, message.attempt > 1);
      }
      return journal.settled();
    },
    resume(left) {
      let resumed = 0;
      for (const intention of left) {
        const live = rules.get(intention.rule);
        if (live?.rule.enabled) {
          carrier.resume(intention);
          resumed++;
        } else ended(intention, 'dropped', `rule "${intention.rule}" is gone or disabled`, []);
      }
      return resumed;
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
