import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { GraceError, systemClock } from '@grace/contracts';
import type { LeaseHold } from './lease-hold.ts';
import type { ActorCounts } from './protocol.ts';

/** Each spins until the instant in shared memory has passed: it needs nobody to stop it. */
const SPIN = `
  const { workerData } = require('node:worker_threads');
  const until = new BigInt64Array(workerData.until);
  let turns = 0;
  while (process.hrtime.bigint() < Atomics.load(until, 0)) for (let i = 0; i < 1e5; i++) turns += i;
`;

/**
 * Burns `cores` whole cores from outside the system until its lease ends.
 * @param params `cores`: how many threads spin; default all of the machine
 * @throws GraceError `BAD_INPUT`
 */
export async function hogCpu(
  hold: LeaseHold,
  params: Record<string, unknown>,
  report: { acting: (atMono: number) => void; count: (counts: ActorCounts) => void },
): Promise<ActorCounts> {
  const cores = params['cores'] ?? availableParallelism();
  if (typeof cores !== 'number' || !Number.isInteger(cores) || cores < 1 || cores > 256)
    throw new GraceError(
      'BAD_INPUT',
      `params.cores: expected a whole number from 1 to 256, got ${JSON.stringify(cores)}`,
    );
  const before = process.cpuUsage();
  const counts = (): ActorCounts => {
    const { user, system } = process.cpuUsage(before);
    return { cores, cpuMs: (user + system) / 1000 };
  };
  const spinners = Array.from(
    { length: cores },
    () => new Worker(SPIN, { eval: true, workerData: { until: hold.untilNs.buffer } }),
  );
  const ended = spinners.map((spinner) => new Promise<void>((resolve) => spinner.once('exit', () => resolve())));
  const online = spinners.map((spinner) => new Promise<void>((resolve) => spinner.once('online', () => resolve())));
  void Promise.all(online).then(() => report.acting(systemClock.monoMs()));
  const timer = setInterval(() => report.count(counts()), 100);
  await Promise.all(ended);
  clearInterval(timer);
  return counts();
}
