import type { BusIdentity, BusPrincipal, Clock, MutedPrincipal } from '@grace/contracts';
import { Latency } from './latency.ts';
import { afterDenied, afterOrder, afterRestart, levelAt, type MuteState, UNMUTED } from './mute.ts';
import { RecentIds } from './recent-ids.ts';
import { TokenBucket } from './token-bucket.ts';
import type { BrokerEvent, KeptMute, MuteOptions } from './types.ts';

/** At most one `denied` event in this time per principal. */
const EVENT_INTERVAL_MS = 1000;

/** What the broker keeps of a principal, over all its wires and incarnations. */
export interface Principal {
  readonly name: string;
  readonly recent: RecentIds;
  readonly latency: Latency;
  published: number;
  denied: number;
  mute: MuteState;
  bucket: TokenBucket;
  /** Denied since the last event, and when that was. */
  unreported: number;
  reportedMono: number;
  lastSubject: string;
  reportTimer: NodeJS.Timeout | undefined;
  unmuteTimer: NodeJS.Timeout | undefined;
}

/** Counts who is denied what, says so at a bounded rate, and mutes who does not stop. */
export class Door {
  readonly #principals = new Map<string, Principal>();
  readonly #options: MuteOptions;
  readonly #clock: Clock;
  readonly #emit: (event: BrokerEvent) => void;

  constructor(options: MuteOptions, clock: Clock, emit: (event: BrokerEvent) => void) {
    this.#options = options;
    this.#clock = clock;
    this.#emit = emit;
  }

  enter(identity: BusIdentity): Principal {
    const principal = this.#of(identity.principal);
    if (principal.bucket.perSecond !== identity.messagesPerSecond) {
      principal.bucket = new TokenBucket(identity.messagesPerSecond, this.#clock.monoMs());
    }
    return principal;
  }

  isMuted(principal: Principal, nowMono: number): boolean {
    return principal.mute.untilMono > nowMono;
  }

  /** `count` messages were refused, the last for `subject`. While muted nothing more is said about them. */
  denied(principal: Principal, subject: string, count: number, nowMono: number): void {
    principal.denied += count;
    const wasMuted = this.isMuted(principal, nowMono);
    const { state, periodMs } = afterDenied(principal.mute, count, nowMono, this.#options);
    principal.mute = state;
    if (wasMuted) return;
    principal.unreported += count;
    principal.lastSubject = subject;
    this.#report(principal, nowMono);
    if (periodMs !== undefined) this.#muted(principal, periodMs, undefined);
  }

  /** So many were refused at their source, while muted. The mute may be over by now; they were no quiet, and are held against nobody twice. */
  withheld(principal: Principal, count: number): void {
    principal.denied += count;
    principal.mute = { ...principal.mute, lastDeniedMono: this.#clock.monoMs() };
  }

  mute(name: string, periodMs: number, by: string | undefined): void {
    const principal = this.#of(name);
    principal.mute = afterOrder(principal.mute, periodMs, this.#clock.monoMs());
    this.#muted(principal, periodMs, by);
  }

  unmute(name: string, by: string | undefined): boolean {
    const principal = this.#principals.get(name);
    if (!principal || !this.isMuted(principal, this.#clock.monoMs())) return false;
    this.#unmuted(principal, by);
    return true;
  }

  muted(): MutedPrincipal[] {
    const nowMono = this.#clock.monoMs();
    return [...this.#principals.values()]
      .filter((principal) => this.isMuted(principal, nowMono))
      .map(({ name, mute, denied }) => ({
        principal: name,
        untilMono: mute.untilMono,
        denied,
        level: levelAt(mute, nowMono, this.#options),
      }));
  }

  counters(): Record<string, BusPrincipal> {
    const nowMono = this.#clock.monoMs();
    return Object.fromEntries(
      [...this.#principals.values()].map(({ name, published, denied, lastSubject, mute, latency }) => [
        name,
        {
          published,
          denied,
          lastSubject,
          mutedUntilMono: mute.untilMono > nowMono ? mute.untilMono : null,
          level: levelAt(mute, nowMono, this.#options),
          latency: latency.read(),
        },
      ]),
    );
  }

  /** Mutes that last, and levels that are not forgiven: what a successor of this broker must know. */
  kept(): KeptMute[] {
    const nowMono = this.#clock.monoMs();
    return [...this.#principals.values()]
      .filter(({ mute }) => mute.untilMono > nowMono || levelAt(mute, nowMono, this.#options) > 0)
      .map(({ name, mute, denied, lastSubject }) => ({
        principal: name,
        level: mute.level,
        untilMono: mute.untilMono,
        lastDeniedMono: mute.lastDeniedMono,
        denied,
        lastSubject,
      }));
  }

  /** Goes on with what a broker that ended has kept, and says of each mute whether it lasts. */
  restore(mutes: readonly KeptMute[]): void {
    const nowMono = this.#clock.monoMs();
    for (const kept of mutes) {
      const principal = this.#of(kept.principal);
      principal.mute = afterRestart(kept, nowMono);
      principal.lastSubject = kept.lastSubject;
      if (kept.untilMono > nowMono) this.#muted(principal, kept.untilMono - nowMono, undefined, kept.denied);
      else if (kept.untilMono > 0) this.#unmuted(principal, undefined);
    }
  }

  close(): void {
    for (const { reportTimer, unmuteTimer } of this.#principals.values()) {
      clearTimeout(reportTimer);
      clearTimeout(unmuteTimer);
    }
  }

  #of(name: string): Principal {
    let principal = this.#principals.get(name);
    if (!principal) {
      principal = {
        name,
        recent: new RecentIds(),
        latency: new Latency(),
        published: 0,
        denied: 0,
        mute: UNMUTED,
        bucket: new TokenBucket(0, 0),
        unreported: 0,
        reportedMono: Number.NEGATIVE_INFINITY,
        lastSubject: '',
        reportTimer: undefined,
        unmuteTimer: undefined,
      };
      this.#principals.set(name, principal);
    }
    return principal;
  }

  #report(principal: Principal, nowMono: number): void {
    if (principal.reportTimer) return;
    const sinceMs = nowMono - principal.reportedMono;
    if (sinceMs < EVENT_INTERVAL_MS) {
      principal.reportTimer = setTimeout(() => {
        principal.reportTimer = undefined;
        this.#emitDenied(principal, this.#clock.monoMs());
      }, EVENT_INTERVAL_MS - sinceMs).unref();
      return;
    }
    this.#emitDenied(principal, nowMono);
  }

  #emitDenied(principal: Principal, nowMono: number): void {
    const sinceMs = Number.isFinite(principal.reportedMono) ? nowMono - principal.reportedMono : 0;
    const { name, lastSubject, unreported } = principal;
    principal.unreported = 0;
    principal.reportedMono = nowMono;
    this.#emit({ type: 'denied', principal: name, subject: lastSubject, count: unreported, sinceMs });
  }

  #muted(principal: Principal, periodMs: number, by: string | undefined, denied = principal.denied): void {
    clearTimeout(principal.unmuteTimer);
    principal.unmuteTimer = setTimeout(() => this.#unmuted(principal, undefined), periodMs).unref();
    const { name, mute } = principal;
    this.#emit({ type: 'muted', principal: name, periodMs, denied, level: mute.level, ...(by && { by }) });
  }

  #unmuted(principal: Principal, by: string | undefined): void {
    clearTimeout(principal.unmuteTimer);
    principal.mute = { ...principal.mute, untilMono: 0 };
    this.#emit({ type: 'unmuted', principal: principal.name, ...(by && { by }) });
  }
}
