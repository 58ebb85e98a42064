import { type StatusDocument, systemClock } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import type { Observation } from '../verdict/recovery.ts';
import { HEARTBEAT_STALE_MS } from './heartbeat.ts';
import type { Metric } from './metric.ts';
import { kernelOf } from './target.ts';
import { pause } from './wait.ts';

const EVERY_MS = 120;
/** An answer that takes longer is none: the observer must not wait for what it observes. */
export const ANSWER_MS = 1000;

export interface Observer {
  readonly observations: readonly Observation[];
  /** Ends after the round that is under way. */
  stop(): Promise<void>;
}

/**
 * Looks at kernels by four methods that do not depend on each other: their functional probe, the age of their heartbeats, a verb called
 * as any client would, and a metric that the laboratory reads itself. An answer counts from the moment it came.
 */
export function observe(
  control: ControlClient,
  kernels: readonly string[],
  metric: Metric,
  onObservation: (observation: Observation) => void,
): Observer {
  const observations: Observation[] = [];
  const stopped = new AbortController();

  const round = async (): Promise<void> => {
    const status = control.request('status', {}, ANSWER_MS).catch(() => null);
    const [probe, workload, seen] = await Promise.all([
      every(kernels, (kernel) => control.request('probe', { kernel }, ANSWER_MS).then(({ ok }) => ok)),
      every(kernels, (kernel) =>
        control.request('call', { kernel, verb: 'status', input: {}, from: 'workload' }, ANSWER_MS).then(() => true),
      ),
      status,
    ]);
    const observation: Observation = {
      atMono: systemClock.monoMs(),
      probe,
      heartbeat: seen && heartbeats(seen, kernels),
      workload,
      metric: metric(seen),
    };
    observations.push(observation);
    onObservation(observation);
  };

  const loop = (async () => {
    while (!stopped.signal.aborted) {
      await round();
      await pause(EVERY_MS, stopped.signal);
    }
  })();
  return {
    observations,
    stop: async () => {
      stopped.abort();
      await loop;
    },
  };
}

async function every(kernels: readonly string[], ask: (kernel: string) => Promise<boolean>): Promise<boolean> {
  const answers = await Promise.all(kernels.map((kernel) => ask(kernel).catch(() => false)));
  return answers.every((answer) => answer);
}

function heartbeats(status: StatusDocument, kernels: readonly string[]): boolean {
  return kernels.every((id) => {
    const kernel = kernelOf(status, id);
    return kernel?.state === 'running' && kernel.heartbeatAgeMs !== null && kernel.heartbeatAgeMs < HEARTBEAT_STALE_MS;
  });
}
