import type { Clock } from '@grace/contracts';
import { GraceError } from '@grace/contracts';
import type { Gate } from '../gate.ts';
import type { Records } from './records.ts';
import { END_CODES, type Ending, type Run, type StopReason } from './run.ts';

export type Asked = Pick<Run, 'id' | 'kind' | 'by' | 'hash' | 'what' | 'limits' | 'isolation'>;

/** An ending, and what is told beside it: to who asked, never to the record. */
export type Outcome<T> = Ending & { answer: T };

export type Runner = ReturnType<typeof createRunner>;

/** Takes a run from its record over the queue to its end. Whatever happens between, the record is ended. */
export function createRunner(records: Records, clock: Clock) {
  const live = new Map<string, { by: string; stop: AbortController; ended: Promise<unknown> }>();
  const nowMs = (): number => Math.round(clock.wallMs());

  const drive = async <T>(
    id: string,
    gate: Gate,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<Outcome<T>>,
  ): Promise<Outcome<T>> => {
    const leave = await gate.enter(signal);
    try {
      signal.throwIfAborted();
      records.started(id, nowMs());
      return await work(signal);
    } finally {
      leave();
    }
  };

  return {
    /**
     * @throws GraceError `CONFLICT` for an id that was used, `SANDBOX_BUSY`, and for an end that is no answer the code of that end, with what the
     * run had said until then as details
     */
    async run<T extends object>(
      asked: Asked,
      gate: Gate,
      work: (signal: AbortSignal) => Promise<Outcome<T>>,
    ): Promise<T & { run: string; state: string; durationMs: number }> {
      const { id } = asked;
      gate.check();
      const askedMs = nowMs();
      if (!records.begin({ ...asked, askedMs })) {
        throw new GraceError('CONFLICT', `input.id: there is a run "${id}" already; its record is in runs`, { id });
      }
      const stop = new AbortController();
      const underWay = drive(id, gate, stop.signal, work);
      live.set(id, { by: asked.by, stop, ended: underWay.catch(() => {}) });
      const startedMono = clock.monoMs();
      try {
        const { answer, ...ending } = await underWay;
        records.end(id, nowMs(), ending);
        const { state, error } = ending;
        if (state in END_CODES) {
          throw new GraceError(END_CODES[state as StopReason | 'error'], `${asked.what}: ${error ?? state}`, {
            run: id,
            ...answer,
          });
        }
        return { run: id, state, ...answer, durationMs: Math.round(clock.monoMs() - startedMono) };
      } catch (error) {
        // Ended above already, unless it was stopped in the queue or something of the kernel's own failed.
        const isStopped = stop.signal.aborted && error === stop.signal.reason;
        const state = isStopped
          ? 'cancelled'
          : (error as { code?: unknown }).code === 'SANDBOX_BUSY'
            ? 'refused'
            : 'error';
        records.end(id, nowMs(), { state, error: (error as Error).message });
        throw error;
      } finally {
        live.delete(id);
      }
    },
    /** Records what was not allowed to start. */
    refuse(asked: Asked, error: GraceError): GraceError {
      if (records.begin({ ...asked, askedMs: nowMs() }))
        records.end(asked.id, nowMs(), { state: 'refused', error: `${error.code}: ${error.message}` });
      return error;
    },
    asker: (id: string): string | undefined => live.get(id)?.by,
    /** Ends it and waits until it has ended. False: it is not under way. */
    async cancel(id: string, why: string): Promise<boolean> {
      const found = live.get(id);
      if (!found) return false;
      found.stop.abort(new GraceError('SANDBOX_CANCELLED', why, { run: id }));
      await found.ended;
      return true;
    },
    ids: (): string[] => [...live.keys()],
  };
}
