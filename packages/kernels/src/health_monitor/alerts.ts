import { type Alert, alertsOf, type Objective } from './objective.ts';
import type { Results } from './results.ts';

/** Not more often than this, ms: the shortest windows are longer than that for objectives over half a day. */
const LOOK_MS = 5000;

/** An alert that began or ended. */
export interface AlertChange extends Alert {
  objective: string;
}

/** Follows which alerts fire. */
export interface AlertWatch {
  /** What has changed since the last look; nothing when that was a moment ago. */
  look(objectives: readonly Objective[]): AlertChange[];
}

export function createAlertWatch(results: Results, clock: { wallMs(): number; monoMs(): number }): AlertWatch {
  const firing = new Set<string>();
  let lookedMono = Number.NEGATIVE_INFINITY;
  return {
    look(objectives) {
      if (clock.monoMs() - lookedMono < LOOK_MS) return [];
      lookedMono = clock.monoMs();
      const changes: AlertChange[] = [];
      const seen = new Set<string>();
      for (const objective of objectives) {
        for (const alert of alertsOf(objective, results.within(objective, clock.wallMs()))) {
          const key = `${alert.threshold} ${objective.id}`;
          seen.add(key);
          if (alert.firing === firing.has(key)) continue;
          if (alert.firing) firing.add(key);
          else firing.delete(key);
          changes.push({ objective: objective.id, ...alert });
        }
      }
      for (const key of firing) if (!seen.has(key)) firing.delete(key);
      return changes;
    },
  };
}
