import type { Broker, DurableOptions } from '@grace/bus/broker';
import { type AnyDraft, type DeadLetterSelection, GraceError, type VerbMeta } from '@grace/contracts';
import { is, readInput, type Verb } from '@grace/kernel-sdk';

const MONTH_MS = 31 * 24 * 3_600_000;
const ms = is.optional(is.number({ min: 0, max: MONTH_MS }));
const many = is.optional(is.number({ min: 1, integer: true }));

/**
 * What is kept on durable subjects, from `durable` in the configuration of message_bus; undefined when that is false: then nothing is.
 * @throws GraceError `CONFIG_INVALID`
 */
export function readDurable(config: Readonly<Record<string, unknown>>, dir: string): DurableOptions | undefined {
  try {
    const { durable } = readInput(config, { durable: is.unknown() });
    if (durable === false) return undefined;
    const given = readInput(durable, {
      subjects: is.optional(
        is.array(is.string({ max: 256, pattern: /^[^\s.]+(\.[^\s.]+)*$/, what: 'a pattern' }), { max: 64 }),
      ),
      retentionMs: ms,
      duplicateWindowMs: ms,
      ackWaitMs: is.optional(is.number({ min: 1, max: MONTH_MS })),
      backoffMs: is.optional(is.array(is.number({ min: 0, max: MONTH_MS }), { max: 32 })),
      maxAttempts: is.optional(is.number({ min: 1, max: 1000, integer: true })),
      maxMessages: many,
      maxBytes: many,
      maxFileBytes: many,
    });
    const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    // Bundled, the thread lies beside the folder of the kernels; from source the broker knows where it is.
    const thread = import.meta.url.endsWith('.ts') ? {} : { thread: new URL('../bus-storage.cjs', import.meta.url) };
    return { dir, ...thread, ...said };
  } catch (error) {
    if (!(error instanceof GraceError) || error.code !== 'BAD_INPUT') throw error;
    const words = error.message
      .replaceAll('input', 'kernels.message_bus.config')
      .replace('of this verb', 'of this kernel');
    throw new GraceError('CONFIG_INVALID', words, error.details);
  }
}

const text = is.optional(is.string({ max: 512 }));
const selection = {
  id: is.optional(is.number({ min: 1, integer: true })),
  subject: text,
  consumer: text,
  all: is.optional(is.boolean()),
};

/** Consumers, and messages whose last attempt failed. */
export function createDurableVerbs(broker: Broker, report: (draft: AnyDraft) => void): Record<string, Verb> {
  const told = (order: 'replay' | 'purge', by: string, selection: DeadLetterSelection, count: number): number => {
    report({ name: 'bus:letters', data: { order, by, count, ...selection } });
    return count;
  };

  return {
    consumers: (input) => {
      readInput(input, {});
      return broker.consumers();
    },

    forget: async (input) => {
      const { consumer } = readInput(input, { consumer: is.string({ max: 512 }) });
      return { consumer, removed: true, rejected: await broker.forget(consumer) };
    },

    deadLetters: (input) => {
      const { subject, consumer, after, limit, payload } = readInput(input, {
        subject: text,
        consumer: text,
        after: is.optional(is.number({ min: 0, integer: true })),
        limit: is.optional(is.number({ min: 1, max: 1000, integer: true })),
        payload: is.optional(is.boolean()),
      });
      return broker.deadLetters(given({ subject, consumer, after, limit, payload }));
    },

    replay: async (input, { from }: VerbMeta) => {
      const selection = readSelection(input);
      return { replayed: told('replay', from, selection, await broker.replay(selection)) };
    },

    purge: async (input, { from }: VerbMeta) => {
      const selection = readSelection(input);
      return { purged: told('purge', from, selection, await broker.purge(selection)) };
    },
  };
}

/** Everything is only meant when it is said. */
function readSelection(input: unknown): { id?: number; subject?: string; consumer?: string } {
  const { all, ...which } = readInput(input, selection);
  const said = given(which);
  if (all ? Object.keys(said).length === 0 : Object.keys(said).length > 0) return said;
  throw new GraceError('BAD_INPUT', 'input: expected an id, a subject or a consumer, or all: true alone');
}

function given<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}
