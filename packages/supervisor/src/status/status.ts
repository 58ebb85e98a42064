import {
  hasThread,
  type KernelStatus,
  type StatusDocument,
  type SystemPlan,
  type ThreadSample,
} from '@grace/contracts';
import type { CoreState, KernelRecord } from '../core/state.ts';

export interface StatusParts {
  /** Which limits are enforced, and by what; what is not is said. */
  enforcement: StatusDocument['system']['enforcement'];
  guardianPid: number | null;
  plan: SystemPlan;
  state: CoreState;
  now: number;
  bus: StatusDocument['bus'];
  lagMsMax: number;
  journalSeq: number;
  journalRefused: number;
}

/** `grace status --json`, from the core's state. Pure. */
export function statusDocument(parts: StatusParts): StatusDocument {
  const { plan, state, now } = parts;
  const kernels = Object.entries(state.kernels);
  const ready = kernels.filter(([, kernel]) => kernel.state === 'running').length;
  const phase =
    state.phase === 'running'
      ? ready === kernels.length
        ? 'running'
        : 'degraded'
      : state.phase === 'booting'
        ? 'booting'
        : 'stopping';
  return {
    system: {
      state: phase,
      ready,
      total: kernels.length,
      uptimeMs: Math.round(now - state.startedMono),
      pid: process.pid,
      home: plan.home,
      armed: plan.armed,
      version: plan.version,
      enforcement: parts.enforcement,
      guardianPid: parts.guardianPid,
      lagMsMax: Math.round(parts.lagMsMax),
      journalSeq: parts.journalSeq,
      journalRefused: parts.journalRefused,
    },
    cells: Object.entries(state.cells).map(([id, cell]) => ({
      id,
      pid: cell.pid,
      state: cell.state === 'stopping' ? 'down' : cell.state,
      incarnation: cell.incarnation,
      rssBytes: cell.sample?.rssBytes ?? null,
      cpuPercent: cell.sample?.cpuPercent ?? null,
      kernels: kernels.filter(([, kernel]) => kernel.cell === id).map(([kernel]) => kernel),
    })),
    kernels: kernels.map(([id, kernel]) => kernelStatus(id, kernel, now, plan.settings.sampleMs)),
    bus: parts.bus,
  };
}

function kernelStatus(id: string, kernel: KernelRecord, now: number, sampleMs: number): KernelStatus {
  const up = hasThread(kernel.state);
  const last = up ? kernel.window.at(-1) : undefined;
  return {
    id,
    title: kernel.manifest.title,
    state: kernel.state,
    cell: kernel.cell,
    tid: kernel.tid,
    incarnation: kernel.incarnation,
    restarts: kernel.restarts,
    readyMs: kernel.readyMs,
    heartbeatAgeMs: last ? heartbeatAge(last, now, sampleMs) : null,
    cpuPercent: cpuPercent(kernel),
    heapBytes: last?.heapBytes ?? null,
    externalBytes: last?.externalBytes ?? null,
    elu: last?.elu ?? null,
    condition: kernel.condition,
    limits: kernel.manifest.limits,
    throttled: kernel.cap !== null,
    cap: kernel.cap,
    quarantined: kernel.state === 'quarantined',
    needs: [...kernel.manifest.needs],
    logs: last?.logs ?? 0,
    lastProbe: kernel.probe.last,
    error: kernel.error,
  };
}

/**
 * The age as it was last looked at. A late heartbeat is sampled at once, so between two regular samples the last one stands; only when the
 * cell itself has been silent for longer is the silence added.
 */
function heartbeatAge(last: ThreadSample, now: number, sampleMs: number): number {
  const silentMs = now - last.atMono;
  return Math.round(silentMs > 2 * sampleMs ? last.heartbeatAgeMs + silentMs : last.heartbeatAgeMs);
}

/** CPU of the thread over the window, percent of one core. */
function cpuPercent(kernel: KernelRecord): number | null {
  const first = kernel.window.find((sample) => sample.cpuMs !== null);
  const last = kernel.window.at(-1);
  if (!first || !last || last.cpuMs === null || last.atMono - first.atMono < 50) return null;
  return Math.round(((last.cpuMs - first.cpuMs!) / (last.atMono - first.atMono)) * 1000) / 10;
}
