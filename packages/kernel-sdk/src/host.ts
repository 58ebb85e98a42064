import type { BusConnection } from '@grace/bus/client';
import { didYouMean, GraceError, type VerbMeta } from '@grace/contracts';
import { type ContextParts, createContext } from './context.ts';
import { guardBus, withoutKnown } from './guarded-bus.ts';
import type { KernelDefinition, KernelInstance, Verb } from './kernel.ts';
import { createStore } from './store.ts';

/** What hosts a kernel gives it, beside what `createContext` makes. */
export interface HostParts extends Omit<ContextParts, 'store' | 'signal'> {
  bus: BusConnection;
  title: string;
  /** Whether `start` waits for the broker to know the verbs; else they are announced beside the work. */
  awaitsBus: boolean;
  /** Called for each verb and probe that begins. */
  onWork: () => void;
  /** Called when a verb begins; what it returns, when it has ended. */
  onServe?: () => () => void;
}

/** A started kernel as its thread (or a test) drives it. */
export interface HostedKernel {
  readonly verbs: string[];
  invoke(verb: string, input: unknown, meta: VerbMeta): Promise<unknown>;
  probe(): Promise<Record<string, unknown>>;
  /** Aborts the context's signal, takes no more verbs, lets the kernel finish, closes bus and store, also when the kernel's own drain throws. Done once. */
  drain(): Promise<void>;
}

/** A verb's name is told and compared by this many characters. */
const NAME_LENGTH = 60;

/** The one kernel that answers with secrets: it hands them out. */
const VAULT = 'secret_manager';

/** How long a kernel waits for the broker to know its verbs before it goes on and tries again beside its work, ms. */
const ANNOUNCE_DEADLINE_MS = 1000;

/**
 * Starts a kernel in this thread. When it does not start, its timers end and its store is closed; the bus stays the caller's.
 * @throws GraceError `KERNEL_INVALID` when `start` returns something that is no kernel, or what `start` itself throws
 */
export async function hostKernel(definition: KernelDefinition, parts: HostParts): Promise<HostedKernel> {
  const ending = new AbortController();
  const { redactor } = parts;
  guardBus(parts.bus, redactor);
  const store = createStore(parts.stateDir);
  const startedMono = parts.clock.monoMs();
  const ctx = createContext({ ...parts, store, signal: ending.signal });
  const begin = async (): Promise<KernelInstance> => {
    try {
      return checkInstance(parts.id, await definition.start(ctx));
    } catch (error) {
      ending.abort();
      store.close();
      throw redactor.error(error);
    }
  };
  const instance = await begin();
  let handled = 0;
  const verbs: Record<string, Verb> = {
    status: () => ({
      kernel: parts.id,
      incarnation: parts.incarnation,
      uptimeMs: Math.round(parts.clock.monoMs() - startedMono),
      handled,
    }),
    ...instance.verbs,
  };
  const names = Object.keys(verbs);

  const invoke = async (verb: string, input: unknown, meta: VerbMeta): Promise<unknown> => {
    if (ending.signal.aborted) {
      throw new GraceError('KERNEL_NOT_RUNNING', `${parts.id} is draining and takes nothing new`, { kernel: parts.id });
    }
    if (!Object.hasOwn(verbs, verb)) {
      const short = String(verb).slice(0, NAME_LENGTH);
      throw new GraceError(
        'UNKNOWN_VERB',
        `${parts.id} has no verb "${short}"${didYouMean(short, names)}; verbs: ${names.join(', ')}`,
        { kernel: parts.id, verb: short },
      );
    }
    handled++;
    parts.onWork();
    const end = parts.onServe?.();
    parts.log.debug(`verb ${verb}`, { from: meta.from });
    try {
      const answer = await verbs[verb]!(input, meta);
      return parts.id === VAULT ? answer : withoutKnown(answer, redactor);
    } catch (error) {
      throw redactor.error(error);
    } finally {
      end?.();
    }
  };

  await announceVerbs(parts, invoke, ending.signal);

  const finish = async (): Promise<void> => {
    ending.abort();
    try {
      await instance.drain?.();
    } finally {
      await parts.bus.close();
      store.close();
    }
  };
  let finished: Promise<void> | undefined;

  return {
    verbs: names,
    invoke,
    async probe() {
      parts.onWork();
      parts.log.trace('probe');
      try {
        return redactor.value(await instance.probe());
      } catch (error) {
        throw redactor.error(error);
      }
    },
    drain() {
      finished ??= finish();
      return finished;
    },
  };
}

/** Makes the verbs callable over the bus. When no broker answers now, it goes on trying: the control lane works without the bus. */
async function announceVerbs(parts: HostParts, invoke: HostedKernel['invoke'], signal: AbortSignal): Promise<void> {
  const prefix = `kernel.${parts.id}.call.`;
  const subscribe = (): Promise<unknown> =>
    parts.bus.subscribe(
      `${prefix}*`,
      async (message) => {
        // Whole, because a verb gives it to timers, and some of them take nothing else.
        const deadlineMs =
          message.deadlineMono === undefined
            ? 5000
            : Math.max(1, Math.floor(message.deadlineMono - parts.clock.monoMs()));
        try {
          const meta: VerbMeta = {
            from: message.from,
            deadlineMs,
            id: message.id,
            ...(message.correlation === undefined ? {} : { correlation: message.correlation }),
          };
          message.reply(await invoke(message.subject.slice(prefix.length), message.payload, meta));
        } catch (error) {
          message.fail(error);
        }
      },
      { deadlineMs: ANNOUNCE_DEADLINE_MS },
    );
  const keepTrying = (): void => {
    const retry = setInterval(() => {
      subscribe().then(
        () => clearInterval(retry),
        () => {},
      );
    }, ANNOUNCE_DEADLINE_MS * 2);
    signal.addEventListener('abort', () => clearInterval(retry));
  };
  const first = subscribe().catch((error) => {
    if (signal.aborted) return;
    parts.log.warn('verbs are not on the bus yet', { error: error instanceof Error ? error.message : String(error) });
    keepTrying();
  });
  if (parts.awaitsBus) await first;
}

function checkInstance(id: string, instance: unknown): KernelInstance {
  const is = instance as Partial<KernelInstance> | null | undefined;
  const problem =
    is === null || typeof is !== 'object'
      ? `start returned ${is === undefined ? 'nothing' : is === null ? 'null' : `a ${typeof is}`}; expected { verbs, probe, drain? }`
      : typeof is.probe !== 'function'
        ? 'start returned no probe function: a kernel is ready when its functional probe has answered'
        : is.verbs === null || typeof is.verbs !== 'object'
          ? 'start returned no verbs object'
          : Object.entries(is.verbs).find(([, verb]) => typeof verb !== 'function')
            ? `the verb "${Object.entries(is.verbs).find(([, verb]) => typeof verb !== 'function')![0]}" is not a function`
            : is.drain !== undefined && typeof is.drain !== 'function'
              ? 'the drain that start returned is not a function'
              : undefined;
  if (problem) throw new GraceError('KERNEL_INVALID', `${id}: ${problem}`, { kernel: id });
  return is as KernelInstance;
}
