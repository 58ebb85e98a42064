import { didYouMean, GraceError, type VerbMeta } from '@grace/contracts';
import { type Courier, is, type KernelContext, readInput, type Verb } from '@grace/kernel-sdk';
import { componentId, readAnnouncement } from './components/announcement.ts';
import type { KernelRoll } from './components/kernels.ts';
import type { Reception } from './components/reception.ts';
import type { Registry } from './components/registry.ts';
import type { DecisionBook } from './decisions/book.ts';
import { instant, readStatement } from './decisions/decision.ts';
import type { Archive } from './happenings/archive.ts';
import type { Teller } from './story/teller.ts';
import { timeline } from './timeline.ts';
import type { TrustLedger } from './trust/ledger.ts';

export interface VerbParts {
  ctx: KernelContext;
  kernels: KernelRoll;
  registry: Registry;
  reception: Reception;
  book: DecisionBook;
  courier: Courier;
  archive: Archive;
  teller: Teller;
  trust: TrustLedger;
}

const word = is.string({ max: 200 });
const limitOf = (max: number) => is.optional(is.number({ min: 1, max, integer: true }));
/** An answer must fit into one message of the bus. */
const ANSWER_CHARS = 500_000;

export function createVerbs(parts: VerbParts): Record<string, Verb> {
  const { ctx, kernels, registry, reception, book, courier, archive, teller, trust } = parts;
  const range = (from: number | undefined, to: number | undefined): { fromMs: number; toMs: number } => {
    const [fromMs, toMs] = [from ?? 0, to ?? Number.MAX_SAFE_INTEGER];
    if (fromMs > toMs) throw new GraceError('BAD_INPUT', 'input.from: expected a time that is not after input.to');
    return { fromMs, toMs };
  };

  return {
    register(input: unknown, meta: VerbMeta) {
      const announcement = readAnnouncement(input);
      if (kernels.get(announcement.id)) {
        throw new GraceError('CONFLICT', `${announcement.id} is a kernel; kernels register by themselves`, {
          id: announcement.id,
        });
      }
      const { component, changed } = registry.register(announcement, meta.from, ctx.clock.wallMs());
      return { id: component.id, standing: component.standing, changed };
    },
    async handshake(input: unknown, meta: VerbMeta) {
      const { id, version } = readInput(input, { id: componentId, version: is.string({ max: 64 }) });
      return await reception.shakeHands(id, version, meta.from);
    },
    withdraw(input: unknown, meta: VerbMeta) {
      const { id } = readInput(input, { id: componentId });
      registry.withdraw(id, meta.from);
      return { id, withdrawn: true };
    },
    components(input: unknown) {
      const { id } = readInput(input, { id: is.optional(componentId) });
      const all = reception.everybody();
      if (id === undefined) return all;
      const found = all.filter((one) => one.id === id);
      if (found.length === 0) throw unknown(id, reception.names());
      return found;
    },

    record(input: unknown, meta: VerbMeta) {
      const nowMs = ctx.clock.wallMs();
      const { statement, key } = readStatement(input, meta.from, nowMs);
      const correlation = statement.correlation ?? meta.correlation?.slice(0, 200) ?? null;
      const answer = book.record({ ...statement, correlation }, meta.from, nowMs, key);
      courier.wake();
      return answer;
    },
    decisions(input: unknown) {
      const given = readInput(input, {
        id: is.optional(word),
        by: is.optional(word),
        where: is.optional(word),
        correlation: is.optional(word),
        from: is.optional(instant),
        to: is.optional(instant),
        limit: limitOf(1000),
      });
      if (given.id !== undefined) return { decisions: [book.get(given.id)], more: false };
      const limit = given.limit ?? 50;
      const { by, where, correlation } = given;
      const query = { ...range(given.from, given.to), ...defined({ by, where, correlation }), limit: limit + 1 };
      const found = book.list(query);
      const taken = whileSmall(found.slice(0, limit));
      return { decisions: taken, more: taken.length < found.length };
    },

    async explain(input: unknown) {
      const { incident, decision } = readInput(input, { incident: is.optional(word), decision: is.optional(word) });
      if ((incident === undefined) === (decision === undefined)) {
        throw new GraceError('BAD_INPUT', 'input: expected either incident or decision, and not both');
      }
      return incident === undefined ? await teller.decision(decision!) : await teller.incident(incident);
    },
    timeline(input: unknown) {
      const given = readInput(input, {
        from: is.optional(instant),
        to: is.optional(instant),
        kernel: is.optional(word),
        correlation: is.optional(word),
        limit: limitOf(1000),
      });
      const { kernel, correlation } = given;
      const found = timeline(archive, book, {
        ...range(given.from, given.to),
        ...defined({ kernel, correlation }),
        limit: given.limit ?? 100,
      });
      const moments = whileSmall(found.moments.toReversed()).reverse();
      return { moments, more: found.more || moments.length < found.moments.length };
    },
    trust(input: unknown) {
      const { id } = readInput(input, { id: is.optional(componentId) });
      archive.flush();
      const names = [...new Set([...trust.components(), ...reception.names()])].sort();
      if (id === undefined) return names.map((name) => trust.of(name));
      if (!names.includes(id)) throw unknown(id, names);
      return [trust.of(id)];
    },

    status(input: unknown) {
      readInput(input, {});
      const standing = (wanted: string): number => registry.all().filter((one) => one.standing === wanted).length;
      const { kept, unsent } = book.counts();
      return {
        kernel: ctx.id,
        incarnation: ctx.incarnation,
        kernels: kernels.all().length,
        components: registry.all().length,
        accepted: standing('accepted'),
        refused: standing('refused'),
        decisions: kept,
        unsent,
        happenings: archive.count(),
      };
    },
  };
}

function unknown(id: string, names: readonly string[]): GraceError {
  return new GraceError('NOT_FOUND', `no component "${id}" is known${didYouMean(id, names)}`, { id });
}

function defined<T extends Record<string, string | undefined>>(given: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string;
  };
}

function whileSmall<T>(found: readonly T[]): T[] {
  let chars = 0;
  return found.filter((one, i) => {
    chars += JSON.stringify(one).length;
    return i === 0 || chars <= ANSWER_CHARS;
  });
}
