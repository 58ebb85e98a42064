import { didYouMean, GraceError, type SupervisorMethods } from '@grace/contracts';
import type { Desk } from '../client/methods.ts';

type Asked = SupervisorMethods['kernel.command']['params'];

/** Journal records in one answer. */
const JOURNAL_PAGE_MAX = 1000;
const CALL_MAX_MS = 60_000;

/** What kernels may ask of the supervisor when their manifest grants it; the grant is checked before. */
export function createKernelCommands(desk: Desk): (asked: Asked, deadlineMs: number) => Promise<unknown> {
  return async ({ kernel: asker, command, input }, deadlineMs) => {
    const given = (input ?? {}) as Record<string, unknown>;
    const text = (name: string): string | undefined => (typeof given[name] === 'string' ? given[name] : undefined);
    const target = (): string => {
      const ids = desk.status().kernels.map(({ id }) => id);
      const id = text('kernel') ?? '';
      if (ids.includes(id)) return id;
      throw new GraceError('UNKNOWN_KERNEL', `there is no kernel "${id}"${didYouMean(id, ids)}`);
    };
    switch (command) {
      case 'status':
        return desk.status();
      case 'incident':
        return desk.incidents(text('id'));
      case 'probe':
        try {
          return await desk.probe(target(), deadlineMs);
        } catch (error) {
          if (error instanceof GraceError && error.code === 'UNKNOWN_KERNEL') throw error;
          return {
            ok: false,
            ms: deadlineMs,
            detail: { error: error instanceof Error ? error.message : String(error) },
          };
        }
      case 'restart':
        return await desk.restart(
          target(),
          { by: asker, reason: text('reason') ?? 'not said', correlation: text('correlation') },
          deadlineMs,
        );
      case 'isolate':
        return await desk.isolate(target(), asker, deadlineMs);
      case 'throttle': {
        const cpu = given['cpu'] === null ? null : Number(given['cpu']);
        const forMs = given['forMs'] === undefined || given['forMs'] === null ? null : Number(given['forMs']);
        return await desk.throttle(target(), { by: asker, cpu, forMs }, deadlineMs);
      }
      case 'tune': {
        const value = given['value'];
        if (value !== undefined && typeof value !== 'number')
          throw new GraceError('BAD_INPUT', `value: expected a number, got ${typeof value}`);
        const knob = (text('knob') ?? '').slice(0, 60);
        const reason = (text('reason') ?? 'not said').slice(0, 500);
        return await desk.tune(target(), { knob, value, by: asker, reason }, deadlineMs);
      }
      case 'journal': {
        const after = whole(given['after'], 'after', 0, Number.MAX_SAFE_INTEGER);
        const limit = whole(given['limit'], 'limit', 1, JOURNAL_PAGE_MAX);
        return { ...(await desk.read({ after, limit })), end: desk.last() };
      }
      case 'verbs':
        return desk.verbs(target());
      case 'call': {
        // Never as itself under another's name: whoever it vouches for carries its own name first.
        const as = text('as') ?? '';
        if (!/^[a-z][a-z0-9_-]{0,63}$/.test(as))
          throw new GraceError('BAD_INPUT', `as: expected the name of a principal, got ${JSON.stringify(given['as'])}`);
        return await desk.call(
          { kernel: target(), verb: text('verb') ?? '', input: given['input'], from: `${asker}:${as}` },
          Math.min(deadlineMs, whole(given['deadlineMs'], 'deadlineMs', 1, CALL_MAX_MS)),
        );
      }
      default:
        throw new GraceError('FORBIDDEN', `the supervisor has no command "${String(command)}" for kernels`);
    }
  };
}

function whole(value: unknown, name: string, min: number, max: number): number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  throw new GraceError('BAD_INPUT', `${name}: expected a whole number from ${min} to ${max}, got ${String(value)}`);
}
