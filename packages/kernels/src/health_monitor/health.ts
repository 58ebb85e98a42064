import type { ProbeDefinition } from './definition.ts';
import type { ProbeState, Standing } from './judge.ts';

export interface SubjectHealth {
  subject: string;
  state: ProbeState;
  /** Null where no probe speaks for it. */
  liveness: ProbeState | null;
  readiness: ProbeState | null;
  sinceMono: number;
  /** Why it is not passing, or empty. */
  reason: string;
}

export interface SystemHealth {
  /** `failing`: most subjects are. `degraded`: some. `unknown`: not enough is known to say that all is well. */
  state: 'healthy' | 'degraded' | 'failing' | 'unknown';
  live: boolean;
  ready: boolean;
  subjects: SubjectHealth[];
}

/** The health of each subject and of the system, from what the probes have shown. Pure. */
export function systemHealth(probes: readonly { definition: ProbeDefinition; standing: Standing }[]): SystemHealth {
  const subjects = [...Map.groupBy(probes, ({ definition }) => definition.subject)].map(([subject, own]) =>
    subjectHealth(subject, own),
  );
  const failing = subjects.filter(({ state }) => state === 'failing').length;
  const unknown = subjects.filter(({ state }) => state === 'unknown').length;
  return {
    state:
      failing * 2 > subjects.length
        ? 'failing'
        : failing > 0
          ? 'degraded'
          : unknown > 0 || subjects.length === 0
            ? 'unknown'
            : 'healthy',
    live: subjects.length > 0 && subjects.every(({ state, liveness }) => (liveness ?? state) === 'passing'),
    ready: subjects.length > 0 && subjects.every(({ state }) => state === 'passing'),
    subjects: subjects.sort((a, b) => (a.subject < b.subject ? -1 : 1)),
  };
}

/** One failing probe fails its subject; else one unknown makes it unknown. */
export function subjectHealth(
  subject: string,
  probes: readonly { definition: ProbeDefinition; standing: Standing }[],
): SubjectHealth {
  const worst = (aspect?: ProbeDefinition['aspect']): ProbeState | null => {
    const states = probes
      .filter(({ definition }) => aspect === undefined || definition.aspect === aspect)
      .map(({ standing }) => standing.state);
    if (states.length === 0) return null;
    return states.includes('failing') ? 'failing' : states.includes('unknown') ? 'unknown' : 'passing';
  };
  const troubled = probes.filter(({ standing }) => standing.state !== 'passing');
  return {
    subject,
    state: worst() ?? 'unknown',
    liveness: worst('liveness'),
    readiness: worst('readiness'),
    sinceMono: Math.max(0, ...probes.map(({ standing }) => standing.sinceMono)),
    reason: troubled
      .map(({ definition, standing }) => `${definition.id}: ${standing.last?.detail ?? 'no result yet'}`)
      .join('; '),
  };
}
