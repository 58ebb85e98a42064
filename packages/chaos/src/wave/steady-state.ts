import { type EventMap, type StatusDocument, systemClock } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import { HEARTBEAT_STALE_MS } from '../observe/heartbeat.ts';
import { pause } from '../observe/wait.ts';
import type { Workload } from '../workload/workload.ts';

type Flow = Pick<Workload, 'flows'>;

export type SteadyCheck = EventMap['steady:check']['checks'][number];
export type SteadyState = Pick<EventMap['steady:check'], 'ok' | 'heldMs' | 'checks'>;

/** The steady state must hold this long, ms. */
const HOLD_MS = 1000;
const EVERY_MS = 200;
const PROBE_DEADLINE_MS = 2000;
const FLOW_MS = 1000;

/**
 * Waits until the system is in its steady state and has been so for a second: every kernel running and passing its functional probe, fresh
 * heartbeats, workload flowing, nobody muted, no open incident, no fault held by anyone.
 * @returns the last look, when it held or the deadline passed
 */
export async function awaitSteadyState(
  control: ControlClient,
  workload: Flow,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<SteadyState> {
  const end = systemClock.monoMs() + deadlineMs;
  let sinceMono: number | null = null;
  for (;;) {
    const checks = await look(control, workload);
    const now = systemClock.monoMs();
    const isWhole = checks.every(({ ok }) => ok);
    sinceMono = isWhole ? (sinceMono ?? now) : null;
    const heldMs = sinceMono === null ? 0 : Math.round(now - sinceMono);
    if (heldMs >= HOLD_MS) return { ok: true, heldMs, checks };
    if (now >= end || signal.aborted) return { ok: false, heldMs, checks };
    await pause(EVERY_MS, signal);
  }
}

async function look(control: ControlClient, workload: Flow): Promise<SteadyCheck[]> {
  try {
    const [status, incidents, leases] = await Promise.all([
      control.request('status', {}),
      control.request('incidents', {}),
      control.request('fault.list', {}),
    ]);
    // A full machine is recorded, but it is not the system's state: nobody inside is sick because others are busy.
    const open = incidents.filter(({ closedMono, kind }) => closedMono === undefined && kind !== 'cpu_saturation');
    return [
      ...kernelChecks(status),
      await probesPass(control, status),
      { check: 'workload_flows', ok: workload.flows(FLOW_MS), observed: `in the last ${FLOW_MS} ms` },
      none(
        'no_mute',
        status.bus.muted.map(({ principal }) => principal),
      ),
      none(
        'no_open_incident',
        open.map(({ id, kind, subject }) => `${id} ${kind} of ${subject}`),
      ),
      none(
        'no_fault',
        leases.map(({ kind, target }) => `${kind} on ${target}`),
      ),
    ];
  } catch (error) {
    return [{ check: 'supervisor_answers', ok: false, observed: (error as Error).message }];
  }
}

function kernelChecks({ kernels }: StatusDocument): SteadyCheck[] {
  const down = kernels.filter(({ state }) => state !== 'running');
  const stale = kernels.filter(({ heartbeatAgeMs }) => heartbeatAgeMs === null || heartbeatAgeMs >= HEARTBEAT_STALE_MS);
  return [
    {
      check: 'kernels_running',
      ok: down.length === 0 && kernels.length > 0,
      observed: down.map(({ id, state }) => `${id} ${state}`).join(', ') || `${kernels.length} of ${kernels.length}`,
    },
    none(
      'heartbeats_fresh',
      stale.map(({ id, heartbeatAgeMs }) => `${id} ${heartbeatAgeMs ?? 'none'} ms`),
    ),
  ];
}

async function probesPass(control: ControlClient, { kernels }: StatusDocument): Promise<SteadyCheck> {
  const failed = await Promise.all(
    kernels.map(({ id }) =>
      control.request('probe', { kernel: id }, PROBE_DEADLINE_MS).then(
        ({ ok }) => (ok ? null : id),
        (error: Error) => `${id} (${error.message})`,
      ),
    ),
  );
  return none(
    'probes_pass',
    failed.filter((id) => id !== null),
  );
}

function none(check: string, exceptions: readonly string[]): SteadyCheck {
  return { check, ok: exceptions.length === 0, observed: exceptions.join(', ') || 'none' };
}
