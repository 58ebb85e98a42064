import { didYouMean, GraceError, type SupervisorMethods } from '@grace/contracts';
import type { Desk } from '../client/methods.ts';

type Asked = SupervisorMethods['kernel.command']['params'];

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
      default:
        throw new GraceError('FORBIDDEN', `the supervisor has no command "${String(command)}" for kernels`);
    }
  };
}
