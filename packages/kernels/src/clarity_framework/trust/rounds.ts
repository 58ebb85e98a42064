import type { StatusDocument } from '@grace/contracts';
import type { Observation } from './observation.ts';

/** Turns the supervisor's list into observations: each functional probe counts once, however often it is read. */
export function createRounds(wallMs: () => number): (status: StatusDocument) => Observation[] {
  const counted = new Map<string, number>();
  return (status) =>
    status.kernels.flatMap(({ id, incarnation, lastProbe }) => {
      if (lastProbe === null || counted.get(id) === lastProbe.atMono) return [];
      // What was probed before this kernel listened may have been counted by the life before.
      const isFirst = !counted.has(id);
      counted.set(id, lastProbe.atMono);
      if (isFirst || incarnation < 1) return [];
      return [{ component: id, source: 'round', kept: lastProbe.ok, record: null, correlation: null, atMs: wallMs() }];
    });
}
