import { GraceError } from '@grace/contracts';
import type { ProbeCheck } from './definition.ts';
import { judge, newStanding, type ProbeState } from './judge.ts';
import { observe, type Reach } from './observer.ts';

/** Larger than any process id Linux gives out (`pid_max` is at most 4,194,304). */
const ABSENT_PID = 2 ** 22 + 1;

/**
 * Real checks, some that must pass and some that must fail, each reported as what it is: its own status verb and its own process pass, a
 * number out of tolerance and a process that cannot exist fail.
 */
export async function probeMonitor(id: string, reach: Reach): Promise<Record<string, unknown>> {
  const status = { kernel: id, verb: 'status', input: {} };
  const expected: [ProbeState, ProbeCheck][] = [
    ['passing', { kind: 'verb', ...status }],
    ['passing', { kind: 'process', pid: process.pid }],
    ['passing', { kind: 'query', ...status, path: 'probes', min: 0, max: Infinity }],
    ['failing', { kind: 'query', ...status, path: 'probes', min: -2, max: -1 }],
    ['failing', { kind: 'process', pid: ABSENT_PID }],
  ];
  for (const [state, check] of expected) {
    const result = await observe(check, 500, reach);
    const { state: judged } = judge(newStanding(0), result, { failAfter: 1, passAfter: 1 }, 0);
    if (judged !== state) {
      throw new GraceError(
        'INTERNAL',
        `a ${check.kind} probe that must be ${state} was called ${judged}: ${result.detail}`,
      );
    }
  }
  const count = (state: ProbeState): number => expected.filter(([one]) => one === state).length;
  return { passing: count('passing'), failing: count('failing') };
}
