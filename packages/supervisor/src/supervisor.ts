import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type AnyRecord, HOME, type SystemPlan, systemClock } from '@grace/contracts';
import { acceptConnection } from './client/connection.ts';
import { createDesk } from './client/desk.ts';
import { createFaultDesk } from './client/fault-desk.ts';
import { listenControl } from './client/server.ts';
import type { Command } from './core/events.ts';
import { initialState } from './core/initial.ts';
import { takeHome } from './home/ground.ts';
import { createIncidentFold } from './journal/incident-fold.ts';
import { createLoop } from './loop.ts';
import { createPulse } from './machine/pulse.ts';
import { createBusCounters } from './process/bus-counters.ts';
import { createCellChannels } from './process/cell-channels.ts';
import { createCellProcesses } from './process/cell-processes.ts';
import { createExecutor } from './process/executor.ts';
import { createFeed } from './process/feed.ts';
import { createKernelCommands } from './process/kernel-commands.ts';
import { ENFORCEMENT, statusDocument } from './status/status.ts';

/** Time that stop has beyond the kernels' own, for processes to end, ms. */
const END_MS = 3000;

export interface RunningSupervisor {
  /** Resolves when everything has ended; the names of what had to be killed. */
  readonly ended: Promise<string[]>;
  stop(reason: string, timeoutMs: number): void;
}

/**
 * Runs the system a plan describes: takes the home, opens the journal, listens, boots.
 * @throws GraceError `HOME_TAKEN`, `HOME_UNUSABLE`, `STORAGE_FULL`, `LEDGER_CORRUPT`, `SOCKET_PATH`
 */
export async function runSupervisor(plan: SystemPlan, planFile: string): Promise<RunningSupervisor> {
  const clock = systemClock;
  const ground = await takeHome(plan, clock);
  const { journal, busKey } = ground;

  const bootWall = clock.wallMs();
  const initial = initialState(plan, clock.monoMs(), bootWall & 0x7fffffff, `inc-${bootWall.toString(36)}`);
  const loop = createLoop(initial, clock, (command) => execute(command));
  const incidents = createIncidentFold();
  const channels = createCellChannels();
  const ended = Promise.withResolvers<string[]>();

  const cells = createCellProcesses(plan, planFile, (cell, incarnation, exit) => {
    channels.ended(cell, incarnation);
    loop.emit({ t: 'cell-exit', cell, incarnation, ...exit });
  });
  const execute: (command: Command) => void = createExecutor({
    plan,
    journal,
    cells,
    busKey,
    channel: channels.get,
    state: () => loop.state,
    emit: loop.emit,
    broadcast: channels.broadcast,
    finish: () => void finish(),
  });

  const faults = createFaultDesk({
    armed: plan.armed,
    clock,
    journal,
    state: () => loop.state,
    channel: channels.get,
    emit: loop.emit,
  });
  const desk = createDesk({
    plan,
    loop,
    journal,
    incidents,
    busKey,
    faults,
    channel: channels.get,
    status: () =>
      statusDocument({
        plan,
        state: loop.state,
        now: clock.monoMs(),
        bus: counters.last,
        lagMsMax: pulse.lagMsMax,
        journalSeq: journal.last,
        journalRefused: journal.refused,
      }),
  });
  const counters = createBusCounters(clock, desk.call);
  const feed = createFeed(() => {
    const bus = loop.state.kernels['message_bus'];
    const channel = bus?.state === 'running' ? channels.get(bus.cell) : undefined;
    return channel && { channel, kernel: 'message_bus' };
  });
  journal.subscribe((record: AnyRecord) => {
    incidents.take(record);
    feed.take(record);
  });

  const link = { plan, journal, faults, emit: loop.emit, command: createKernelCommands(desk) };
  const server = await listenControl(join(plan.home, HOME.controlSocket), (socket) =>
    acceptConnection({ desk, journal, loop, channels, cells, link }, socket),
  ).catch(async (error) => {
    await ground.leave();
    throw error;
  });

  const pulse = createPulse(clock, {
    tick: () => {
      loop.emit({ t: 'tick' });
      feed.flush();
    },
    machine: (busy, lagMs) => {
      loop.emit({ t: 'machine', busy, lagMs });
      if (loop.state.kernels['message_bus']?.state === 'running') counters.refresh();
    },
    lagged: (lagMs) => void journal.append({ name: 'system:lag', data: { lagMs } }),
  });

  let finished = false;
  async function finish(): Promise<void> {
    if (finished) return;
    finished = true;
    const left = await cells.allEnded(END_MS);
    pulse.stop();
    loop.stop();
    journal.append({ name: 'system:stopped', data: { left } });
    await server.close();
    await ground.leave();
    ended.resolve(left);
  }

  journal.append({
    name: 'system:boot',
    data: {
      pid: process.pid,
      version: plan.version,
      node: process.versions.node,
      cores: availableParallelism(),
      armed: plan.armed,
      kernels: plan.kernels.map((kernel) => kernel.id),
      safeguards: plan.safeguards,
      enforcement: ENFORCEMENT,
    },
  });
  loop.emit({ t: 'boot' });
  return { ended: ended.promise, stop: desk.stop };
}
