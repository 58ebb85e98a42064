import { didYouMean, GraceError, TUNABLE, type TunableKnob } from '@grace/contracts';
import type { KernelRecord } from '../core/state.ts';
import { tunedValue, tuneProblem } from '../core/tune.ts';
import type { Loop } from '../loop.ts';
import type { Desk } from './methods.ts';

type Orders = Pick<Desk, 'restart' | 'isolate' | 'pause' | 'resume' | 'quarantine' | 'throttle' | 'tune'>;

/** Least share of a core a thread can be held to: below it, it could not even stamp its heartbeat. */
const LEAST_CPU = 0.01;
/** Longest hold that ends by itself, ms. */
const LONGEST_MS = 7 * 24 * 3_600_000;

/** Orders by hand: each is given to the core, and resolves when the core's state shows what was asked for. */
export function createHandDesk(loop: Loop): Orders {
  const record = (kernel: string): KernelRecord => loop.state.kernels[kernel]!;

  /** The kernel is up again after `before`, or will not be. */
  const up = (kernel: string, before: number) => (): { kernel: string; incarnation: number } | undefined => {
    const { state, incarnation, error } = record(kernel);
    if (state === 'running' && incarnation > before) return { kernel, incarnation };
    if (state === 'failed' || state === 'quarantined')
      throw new GraceError(error?.code ?? 'KERNEL_START', error?.message ?? `${kernel} is ${state}`);
    return undefined;
  };

  return {
    async restart(kernel, { by, reason, correlation }, deadlineMs) {
      const { incarnation } = record(kernel);
      loop.emit({ t: 'restart', kernel, by, reason, correlation });
      return await loop.until(`the restart of ${kernel}`, up(kernel, incarnation), deadlineMs);
    },
    async isolate(kernel, by, deadlineMs) {
      const { incarnation, cell } = record(kernel);
      if (cell === `solo_${kernel}`) return { kernel, cell };
      loop.emit({ t: 'isolate', kernel, by });
      await loop.until(`the isolation of ${kernel}`, up(kernel, incarnation), deadlineMs);
      return { kernel, cell: record(kernel).cell };
    },
    async pause(kernel, by, deadlineMs) {
      loop.emit({ t: 'pause', kernel, by });
      const down = (): { kernel: string } | undefined => {
        const { state } = record(kernel);
        return state === 'stopped' || state === 'failed' || state === 'quarantined' ? { kernel } : undefined;
      };
      return await loop.until(`the pause of ${kernel}`, down, deadlineMs);
    },
    async resume(kernel, by, deadlineMs) {
      const { state, incarnation } = record(kernel);
      if (state === 'running') return { kernel, incarnation };
      loop.emit({ t: 'resume', kernel, by });
      return await loop.until(`the start of ${kernel}`, up(kernel, incarnation), deadlineMs);
    },
    async quarantine(kernel, { by, reason }, deadlineMs) {
      loop.emit({ t: 'quarantine', kernel, by, reason });
      const kept = (): { kernel: string } | undefined =>
        record(kernel).state === 'quarantined' ? { kernel } : undefined;
      return await loop.until(`the quarantine of ${kernel}`, kept, deadlineMs);
    },
    async throttle(kernel, { by, cpu, forMs }, deadlineMs) {
      if (cpu !== null && !(typeof cpu === 'number' && cpu >= LEAST_CPU && cpu <= 1))
        throw new GraceError(
          'BAD_INPUT',
          `cpu: expected a share of one core from ${LEAST_CPU} to 1, or null, got ${cpu}`,
        );
      if (forMs !== null && !(typeof forMs === 'number' && forMs > 0 && forMs <= LONGEST_MS))
        throw new GraceError('BAD_INPUT', `forMs: expected a time from 1 to ${LONGEST_MS} ms, or null, got ${forMs}`);
      const { state } = record(kernel);
      if (state !== 'running')
        throw new GraceError('KERNEL_NOT_RUNNING', `${kernel} is ${state}; only a running kernel can be throttled`);
      const before = record(kernel).limitSets;
      if (cpu === null && record(kernel).throttle === null)
        return { kernel, cpu: record(kernel).cap, method: record(kernel).limitMethod };
      loop.emit({ t: 'throttle', kernel, by, cpu, forMs });
      const set = (): Awaited<ReturnType<Orders['throttle']>> | undefined => {
        const { limitSets, limitMethod, cap } = record(kernel);
        return limitSets > before ? { kernel, cpu: cap, method: limitMethod } : undefined;
      };
      return await loop.until(`the limit of ${kernel}`, set, deadlineMs);
    },
    async tune(kernel, { knob: name, value, by, reason }, deadlineMs) {
      const names = Object.keys(TUNABLE) as TunableKnob[];
      const knob = names.find((one) => one === name);
      if (knob === undefined)
        throw new GraceError(
          'BAD_INPUT',
          `knob: expected one of ${names.join(', ')}${didYouMean(name, names)}, got ${JSON.stringify(name)}`,
        );
      const read = (): number => tunedValue(record(kernel).manifest, knob);
      const from = read();
      if (value === undefined || value === from) return { kernel, knob, from, value: from };
      const problem = tuneProblem(record(kernel).manifest, knob, value);
      if (problem !== undefined) throw new GraceError('BAD_INPUT', `value: ${problem}`);
      loop.emit({ t: 'tune', kernel, knob, value, by, reason });
      const set = (): Awaited<ReturnType<Orders['tune']>> | undefined =>
        read() === value ? { kernel, knob, from, value } : undefined;
      return await loop.until(`${knob} of ${kernel}`, set, deadlineMs);
    },
  };
}
