import type { RestartVerdict } from './facts.ts';

/** What the record says of a kernel up to the moment of a restart. */
export interface Standing {
  /** Known since its first record; a kernel whose earlier records were not read is judged by nothing. */
  known: boolean;
  condition: string;
  /** Its thread ended without being asked, in this life. */
  exited: boolean;
  /** It was up when it was taken down; a failed start takes nothing away. */
  wasRunning: boolean;
  /** A memory limit was near, in this life. */
  pressed: boolean;
  /** Its cell's process ended, in this life. */
  cellExited: boolean;
  /** Kinds of its open incidents, each with the detectors that fired. */
  open: Readonly<Record<string, readonly string[]>>;
}

/**
 * Whether what a restart was made for is on record before it. The rules are the supervisor's own promises: one signal alone restarts nobody,
 * a kernel that may still do its job is asked (`probe`) first, and a starved kernel is never accused (docs/architecture/judgement.md).
 */
export function restartVerdict(cause: string, standing: Standing): { verdict: RestartVerdict; why: string } {
  const say = (verdict: RestartVerdict, why: string): { verdict: RestartVerdict; why: string } => ({ verdict, why });
  if (['manual', 'isolate', 'pause', 'quarantine'].includes(cause)) return say('ordered', 'somebody asked for it');
  if (!standing.known) return say('unknown', 'the records before it were not read');
  const hung = standing.open['kernel_hung'] ?? [];
  const confirmed = hung.includes('probe');
  if (['hung', 'probe', 'playbook'].includes(cause) && standing.condition === 'starved' && !confirmed)
    return say('false', 'it was starved, and no functional probe of it had failed');
  switch (cause) {
    case 'crash':
    case 'ended':
      return standing.exited
        ? say('justified', 'its thread had ended')
        : say('false', 'no end of its thread is on record');
    case 'start':
      return standing.wasRunning
        ? say('false', 'it was up, so no start had failed')
        : say('justified', 'its start had failed');
    case 'hung':
      if (!confirmed) return say('false', 'no incident with an unanswered functional probe was open');
      return hung.length > 1
        ? say('justified', `${hung.join(', ')} agreed`)
        : say('false', 'the functional probe alone spoke for a hang');
    case 'probe':
      return confirmed
        ? say('justified', 'its functional probe had failed again and again')
        : say('false', 'no failed functional probe is on record');
    case 'memory':
      return standing.pressed || standing.open['memory_pressure']
        ? say('justified', 'it had come near its memory limit')
        : say('false', 'no shortage of memory is on record');
    case 'cell':
      return standing.cellExited
        ? say('justified', 'its cell had ended')
        : say('false', 'no end of its cell is on record');
    case 'playbook':
      return Object.keys(standing.open).length > 0
        ? say('justified', 'an incident of it was open')
        : say('ordered', 'a playbook was run by hand');
    default:
      return say('unknown', `the cause "${cause}" says nothing here`);
  }
}
