import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type AnyRecord, type Clock, HOME, type SystemPlan, systemClock, type ThreadInventory } from '@grace/contracts';
import { acceptConnection } from './client/connection.ts';
import { createDesk } from './client/desk.ts';
import { governedDrills } from './client/drill-authority.ts';
import { createFaultDesk } from './client/fault-desk.ts';
import { listenControl } from './client/server.ts';
import type { Command } from './core/events.ts';
import { initialState } from './core/initial.ts';
import { restore } from './core/restore.ts';
import { createEvidenceKeeper } from './evidence/keeper.ts';
import { keepGuardian } from './guardian/guard.ts';
import { openRules } from './home/access-rules.ts';
import { type Former, takeHome } from './home/ground.ts';
import { createIncidentFold } from './journal/incident-fold.ts';
import { repairTold } from './journal/repair-told.ts';
import { createLoop } from './loop.ts';
import { probeLimits } from './machine/control-groups/probe.ts';
import { openSystemGroups } from './machine/control-groups/system-groups.ts';
import { createPulse } from './machine/pulse.ts';
import { createAdoption } from './process/adoption.ts';
import { createBusCounters } from './process/bus-counters.ts';
import { createCellChannels } from './process/cell-channels.ts';
import { createCellProcesses } from './process/cell-processes.ts';
import { createEvidenceOrders } from './process/evidence-orders.ts';
import { createExecutor } from './process/executor.ts';
import { createFeed } from './process/feed.ts';
import { createKernelCommands } from './process/kernel-commands.ts';
import { statusDocument } from './status/status.ts';
import { openService } from './systemd/service.ts';

/** Time that stop has beyond the kernels' own, for processes to end, ms. */
const END_MS = 3000;
/** The system lets go of a process a moment after it has ended; past this a control group is left and named, ms. */
const GROUPS_MS = 2000;

export interface RunningSupervisor {
  /** Resolves when everything has ended; the names of cells that had to be killed, and of control groups that could not be removed. */
  readonly ended: Promise<string[]>;
  stop(reason: string, timeoutMs: number): void;
}

/** Who started this supervisor, and whether it takes the place of one that died. */
export interface Origin {
  guardian: number | null;
  resumes: { restarts: number; ended: string } | null;
}

/**
 * Runs the system a plan describes: takes the home, opens the journal, listens, and boots it, or goes on with what a
 * supervisor that died left running.
 * @throws GraceError `HOME_TAKEN`, `HOME_UNUSABLE`, `STORAGE_FULL`, `LEDGER_CORRUPT`, `SOCKET_PATH`
 */
export async function runSupervisor(
  plan: SystemPlan,
  planFile: string,
  origin: Origin = { guardian: null, resumes: null },
): Promise<RunningSupervisor> {
  const clock = systemClock;
  // What can be limited is the machine's matter; it is found out while the home is taken.
  const probing = probeLimits();
  const ground = await takeHome(plan, clock, origin.resumes !== null).finally(() => probing);
  const { journal, busKey, former } = ground;
  const rules = openRules(plan, former !== null || origin.resumes !== null);
  const limits = await openSystemGroups(plan.home, await probing, plan.settings.cellMemoryBytes);
  const service = await openService(process.env, { clock, journal, state: () => loop.state });

  const bootWall = clock.wallMs();
  const begin = [clock.monoMs(), bootWall & 0x7fffffff, `inc-${bootWall.toString(36)}`] as const;
  const initial = former ? restore(plan, former.records, ...begin) : initialState(plan, ...begin);
  const loop = createLoop(initial, clock, (command) => execute(command));
  const incidents = createIncidentFold();
  const channels = createCellChannels();
  const ended = Promise.withResolvers<string[]>();

  const guard = keepGuardian(plan, planFile, origin.guardian);
  const cells = createCellProcesses(plan, planFile, {
    onStart: (cell, incarnation, pid) => journal.append({ name: 'cell:start', cell, incarnation, data: { pid } }),
    onExit(cell, incarnation, exit) {
      channels.ended(cell, incarnation);
      limits.closeCell(cell);
      loop.emit({ t: 'cell-exit', cell, incarnation, ...exit });
      adoption?.exited(cell);
    },
  });
  const adoption = former
    ? createAdoption({
        state: () => loop.state,
        living: former.cells,
        cells,
        emit: loop.emit,
        onDone: (adopted) =>
          journal.append({ name: 'system:adopt', data: { ...takenOver(former, clock), ...adopted } }),
      })
    : null;
  const evidence = createEvidenceKeeper({ home: plan.home, journal, channel: channels.get });
  const execute: (command: Command) => void = createExecutor({
    plan,
    journal,
    cells,
    busKey,
    acl: () => rules.acl,
    channel: channels.get,
    state: () => loop.state,
    emit: loop.emit,
    broadcast: channels.broadcast,
    keepEvidence: createEvidenceOrders(
      evidence,
      (what) => void journal.append({ name: 'system:trouble', data: { what } }),
    ),
    finish: () => void finish(),
  });

  const faults = createFaultDesk({
    armed: plan.armed,
    clock,
    journal,
    state: () => loop.state,
    channel: channels.get,
    emit: loop.emit,
    authority: plan.kernels.some(({ id }) => id === 'governance')
      ? governedDrills(plan.armed, (verb, input, deadlineMs) =>
          desk.call({ kernel: 'governance', verb, input, from: 'supervisor' }, deadlineMs),
        )
      : null,
  });
  const desk = createDesk({
    plan,
    loop,
    journal,
    incidents,
    busKey,
    rules,
    faults,
    channel: channels.get,
    async profile(kernel, { kind, durationMs }) {
      const { cell, incarnation } = loop.state.kernels[kernel]!;
      const { data } = await evidence.profile({ kernel, cell, incarnation, incident: null }, kind, durationMs);
      return { file: data.file, bytes: data.bytes, top: data.top };
    },
    status: () =>
      statusDocument({
        plan,
        enforcement: limits.enforcement,
        state: loop.state,
        now: clock.monoMs(),
        bus: counters.last,
        guardianPid: guard.pid,
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
  for (const record of former?.records ?? []) incidents.take(record);
  journal.subscribe((record: AnyRecord) => {
    incidents.take(record);
    feed.take(record);
  });

  const welcome = adoption?.settled ?? Promise.resolve();
  const adopted = (cell: string, threads: ThreadInventory[], dropped: number): void =>
    adoption?.dialled(cell, threads, dropped);
  const link = { plan, journal, faults, emit: loop.emit, command: createKernelCommands(desk) };
  const server = await listenControl(join(plan.home, HOME.controlSocket), (socket) =>
    acceptConnection({ desk, journal, loop, channels, cells, link, limits, adopted, welcome }, socket),
  ).catch(async (error) => {
    guard.stop();
    if (!former) await limits.remove(GROUPS_MS);
    await (former ? ground.handOn() : ground.leave());
    throw error;
  });

  const pulse = createPulse(clock, {
    tick: () => {
      loop.emit({ t: 'tick' });
      feed.flush();
      service?.beat();
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
    const left = [...(await cells.allEnded(END_MS)), ...(await limits.remove(GROUPS_MS))];
    guard.stop();
    pulse.stop();
    loop.stop();
    journal.append({ name: 'system:stopped', data: { left } });
    await server.close();
    await ground.leave();
    await service?.close();
    ended.resolve(left);
  }

  const { guardian, resumes } = origin;
  if (resumes && guardian !== null) journal.append({ name: 'system:guard', data: { pid: guardian, ...resumes } });
  if (adoption) {
    adoption.begin();
    return { ended: ended.promise, stop: desk.stop };
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
      enforcement: limits.enforcement,
      plan: ground.digest,
    },
  });
  loop.emit({ t: 'boot' });
  if (journal.repaired) {
    const { damaged, repaired } = repairTold(journal.repaired);
    journal.append({ name: 'record:damaged', data: damaged });
    loop.emit({ t: 'record-damaged', damaged });
    journal.append({ name: 'record:repaired', data: repaired });
    loop.emit({ t: 'record-repaired', repaired });
  }
  return { ended: ended.promise, stop: desk.stop };
}

/** Whom this supervisor follows, and for how long there was none. */
function takenOver({ records }: Former, clock: Clock): { pid: number; formerPid: number | null; awayMs: number } {
  const former = records.findLast(({ name }) => name === 'system:boot' || name === 'system:adopt');
  const formerPid = former?.name === 'system:boot' || former?.name === 'system:adopt' ? former.data.pid : null;
  const lastMono = records.at(-1)?.monoMs ?? clock.monoMs();
  return { pid: process.pid, formerPid, awayMs: Math.round(clock.monoMs() - lastMono) };
}
