import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import {
  type AnyRecord,
  type BusStatistics,
  type BusTotals,
  GraceError,
  HOME,
  type MutedPrincipal,
  PROTOCOL,
  type SupervisorMethods,
  type SystemPlan,
  systemClock,
} from '@grace/contracts';
import { Channel, signBusToken } from '@grace/control';
import { createFaultDesk } from './client/fault-desk.ts';
import { followJournal } from './client/follower.ts';
import { type ClientSession, createClientMethods, type Desk } from './client/methods.ts';
import { listenControl } from './client/server.ts';
import { decide } from './core/decide.ts';
import type { CoreEvent } from './core/events.ts';
import { initialState } from './core/initial.ts';
import { nextDue } from './core/tick.ts';
import { lockHome } from './home/lock.ts';
import { createIncidentFold } from './journal/incident-fold.ts';
import { openJournal } from './journal/journal.ts';
import { createLoadMeter } from './machine/load.ts';
import { answerCell, takeCellNotice } from './process/cell-link.ts';
import { createCellProcesses } from './process/cell-processes.ts';
import { createBusKey, createExecutor } from './process/executor.ts';
import { createFeed } from './process/feed.ts';
import { statusDocument } from './status/status.ts';

/** How often the core is asked what is due when nothing else happens, ms. */
const TICK_MS = 50;
/** How often the load of the machine is read, ms. */
const MACHINE_MS = 250;
/** The supervisor's own lag from which it is written down, ms. */
const LAG_NOTED_MS = 250;
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
  const lock = lockHome(plan.home);
  const journal = await openJournal(join(plan.home, HOME.journal), clock).catch((error) => {
    lock.release();
    throw error;
  });
  for (const folder of [HOME.logs, HOME.state]) mkdirSync(join(plan.home, folder), { recursive: true, mode: 0o700 });
  const busKey = createBusKey();
  writeFileSync(join(plan.home, HOME.busKey), busKey, { mode: 0o600 });

  const incidents = createIncidentFold();
  const channels = new Map<string, { channel: Channel; incarnation: number }>();
  const bootWall = clock.wallMs();
  let state = initialState(plan, clock.monoMs(), bootWall & 0x7fffffff, `inc-${bootWall.toString(36)}`);
  let bus: BusTotals & { muted: MutedPrincipal[] } = {
    accepted: 0,
    handled: 0,
    rejected: 0,
    expired: 0,
    deadLettered: 0,
    waiting: 0,
    denied: 0,
    muted: [],
  };
  let lagMsMax = 0;
  let finished = false;
  let resolveEnded: (left: string[]) => void = () => {};
  const ended = new Promise<string[]>((resolve) => {
    resolveEnded = resolve;
  });
  const waiters = new Set<() => void>();

  const channel = (cell: string): Channel | undefined => channels.get(cell)?.channel;

  // One event at a time: what an order causes at once is taken after it.
  const queue: CoreEvent[] = [];
  let busy = false;
  let dueTimer: NodeJS.Timeout | undefined;
  const emit = (event: CoreEvent): void => {
    queue.push(event);
    if (busy) return;
    busy = true;
    try {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const { state: after, commands } = decide(state, next, clock.monoMs());
        state = after;
        for (const command of commands) execute(command);
      }
    } finally {
      busy = false;
    }
    for (const waiter of [...waiters]) waiter();
    clearTimeout(dueTimer);
    const due = nextDue(state);
    if (Number.isFinite(due)) dueTimer = setTimeout(() => emit({ t: 'tick' }), Math.max(1, due - clock.monoMs()));
  };

  const cells = createCellProcesses(plan, planFile, (cell, incarnation, exit) => {
    if (channels.get(cell)?.incarnation === incarnation) channels.delete(cell);
    emit({ t: 'cell-exit', cell, incarnation, ...exit });
  });

  const execute = createExecutor({
    plan,
    journal,
    cells,
    busKey,
    channel,
    state: () => state,
    emit,
    broadcast: (name, data) => {
      for (const { channel } of channels.values()) channel.notice(name, data);
    },
    finish: () => void finish(),
  });
  const faults = createFaultDesk({ armed: plan.armed, clock, journal, state: () => state, channel, emit });

  const feed = createFeed(() => {
    const kernel = state.kernels['message_bus'];
    const to = kernel?.state === 'running' ? channel(kernel.cell) : undefined;
    return to && { channel: to, kernel: 'message_bus' };
  });
  journal.subscribe((record: AnyRecord) => {
    incidents.take(record);
    if (record.name === 'bus:statistics') bus = { ...bus, ...record.data };
    feed.take(record);
  });

  const status = () => statusDocument({ plan, state, now: clock.monoMs(), bus, lagMsMax, journalSeq: journal.last });

  /** Resolves with what `look` finds; the core's every step is looked at. */
  const until = <T>(what: string, look: () => T | undefined, deadlineMs: number): Promise<T> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        try {
          const found = look();
          if (found === undefined) return;
          done();
          resolve(found);
        } catch (error) {
          done();
          reject(error);
        }
      };
      const timer = setTimeout(() => {
        done();
        reject(new GraceError('DEADLINE', `${what}: not within ${Math.round(deadlineMs)} ms`));
      }, deadlineMs);
      const done = (): void => {
        clearTimeout(timer);
        waiters.delete(check);
      };
      waiters.add(check);
      check();
    });

  const online = (kernel: string): { record: (typeof state.kernels)[string]; channel: Channel } => {
    const record = state.kernels[kernel]!;
    const to = channel(record.cell);
    if (record.state !== 'running' || !to)
      throw new GraceError(
        'KERNEL_NOT_RUNNING',
        `${kernel} is ${record.state}${record.error ? ` (${record.error.message})` : ''}`,
        { kernel, state: record.state },
      );
    return { record, channel: to };
  };

  const desk: Desk = {
    version: plan.version,
    armed: plan.armed,
    status,
    ready: (deadlineMs) =>
      until(
        'the boot',
        () => {
          if (state.phase === 'booting') return undefined;
          const kernels = Object.entries(state.kernels);
          const failed = kernels
            .filter(([, kernel]) => kernel.state !== 'running')
            .map(([kernel, record]) => ({
              kernel,
              error: record.error ?? { code: 'KERNEL_NEVER_READY', message: `${kernel} is ${record.state}` },
            }));
          return {
            ready: kernels.length - failed.length,
            total: kernels.length,
            ms: bootMs(kernels.map(([, kernel]) => kernel.readyMs)),
            failed,
          };
        },
        deadlineMs,
      ),
    stop: (reason, timeoutMs) => stop(reason, timeoutMs),
    async restart(kernel, by, deadlineMs) {
      const before = state.kernels[kernel]!.incarnation;
      emit({ t: 'restart', kernel, by, reason: 'by hand', correlation: undefined });
      return await until(`the restart of ${kernel}`, () => settled(kernel, before), deadlineMs);
    },
    async isolate(kernel, by, deadlineMs) {
      const { incarnation, cell } = state.kernels[kernel]!;
      if (cell === `solo_${kernel}`) return { kernel, cell };
      emit({ t: 'isolate', kernel, by });
      await until(`the isolation of ${kernel}`, () => settled(kernel, incarnation), deadlineMs);
      return { kernel, cell: state.kernels[kernel]!.cell };
    },
    async probe(kernel, deadlineMs) {
      const { record, channel: to } = online(kernel);
      const asked = performance.now();
      const detail = await to.request<Record<string, unknown>>(
        'kernel.probe',
        { kernel, incarnation: record.incarnation, deadlineMs },
        deadlineMs,
      );
      return { ok: true, ms: Math.round((performance.now() - asked) * 10) / 10, detail };
    },
    async call({ kernel, verb, input, from }, deadlineMs) {
      return await online(kernel).channel.request('kernel.call', { kernel, verb, input, from, deadlineMs }, deadlineMs);
    },
    verbs: (kernel) => state.kernels[kernel]!.verbs,
    incidents(id) {
      if (id === undefined) return incidents.list();
      const found = incidents.get(id);
      if (!found) throw new GraceError('UNKNOWN_INCIDENT', `there is no incident "${id}"`);
      return [found];
    },
    async read({ after, limit, names }) {
      const records = await journal.read(after, limit);
      return {
        records: names ? records.filter((record) => names.includes(record.name)) : records,
        last: records.at(-1)?.seq ?? after,
      };
    },
    last: () => journal.last,
    append: (draft) => journal.append(draft).seq,
    token(principal) {
      if (state.kernels[principal])
        throw new GraceError('FORBIDDEN', `"${principal}" is a kernel; nobody else may speak as it`);
      if (!Object.hasOwn(plan.acl.principals, principal) || principal === 'supervisor') {
        const known = Object.keys(plan.acl.principals).filter((name) => name !== 'supervisor' && !state.kernels[name]);
        throw new GraceError(
          'FORBIDDEN',
          `the access rules know no outside principal "${principal}"; they know ${known.join(', ') || 'none'}`,
        );
      }
      const identity = { principal, incarnation: 1, messagesPerSecond: 100_000, kernel: false };
      return { socket: join(plan.home, HOME.busSocket), token: signBusToken(identity, busKey) };
    },
    faults,
  };

  function settled(kernel: string, before: number): { kernel: string; incarnation: number } | undefined {
    const record = state.kernels[kernel]!;
    if (record.state === 'running' && record.incarnation > before) return { kernel, incarnation: record.incarnation };
    if (record.state === 'failed' || record.state === 'quarantined')
      throw new GraceError(
        record.error?.code ?? 'KERNEL_START',
        record.error?.message ?? `${kernel} is ${record.state}`,
      );
    return undefined;
  }

  /** What kernels may ask when their manifest grants it. */
  const command = async (
    { kernel: asker, command: what, input }: SupervisorMethods['kernel.command']['params'],
    deadlineMs: number,
  ): Promise<unknown> => {
    const given = (input ?? {}) as Record<string, unknown>;
    const target = (): string => {
      if (typeof given['kernel'] === 'string' && state.kernels[given['kernel']]) return given['kernel'];
      throw new GraceError('UNKNOWN_KERNEL', `there is no kernel "${String(given['kernel'])}"`);
    };
    switch (what) {
      case 'status':
        return status();
      case 'incident':
        return desk.incidents(typeof given['id'] === 'string' ? given['id'] : undefined);
      case 'probe':
        return await desk.probe(target(), deadlineMs).catch((error) => ({
          ok: false,
          ms: deadlineMs,
          detail: { error: error instanceof Error ? error.message : String(error) },
        }));
      case 'restart': {
        const kernel = target();
        const before = state.kernels[kernel]!.incarnation;
        const correlation = typeof given['correlation'] === 'string' ? given['correlation'] : undefined;
        emit({
          t: 'restart',
          kernel,
          by: asker,
          reason: typeof given['reason'] === 'string' ? given['reason'] : 'not said',
          correlation,
        });
        return await until(`the restart of ${kernel}`, () => settled(kernel, before), deadlineMs);
      }
      case 'isolate':
        return await desk.isolate(target(), asker, deadlineMs);
      default:
        throw new GraceError('FORBIDDEN', `the supervisor has no command "${what}" for kernels`);
    }
  };

  const accept = (socket: Socket): void => {
    const session: ClientSession & { stopFollowing?: () => void; cell?: { id: string; incarnation: number } } = {
      role: null,
      follow(after) {
        session.stopFollowing?.();
        session.stopFollowing = followJournal(journal, connection, after);
      },
    };
    const answerClient = createClientMethods(desk, session);
    const link = { plan, journal, faults, emit, command };
    const answer = answerCell(link);
    const connection = new Channel(socket, {
      onRequest: async (method, params, context) => {
        if (method === 'cell.hello') {
          const { protocol, cell, incarnation, pid } = params as SupervisorMethods['cell.hello']['params'];
          const expected = state.cells[cell];
          if (protocol !== PROTOCOL || expected?.incarnation !== incarnation)
            throw new GraceError('PROTOCOL', `no cell "${cell}" of incarnation ${incarnation} is expected`);
          session.cell = { id: cell, incarnation };
          channels.set(cell, { channel: connection, incarnation });
          queueMicrotask(() => emit({ t: 'cell-online', cell, incarnation, pid }));
          return { cell };
        }
        if (session.cell) return await answer(method, params, context);
        return await answerClient(method, params, context);
      },
      onNotice: (name, data) => {
        if (session.cell) takeCellNotice(link, name, data);
      },
      onClose: () => {
        session.stopFollowing?.();
        if (session.cell && channels.get(session.cell.id)?.channel === connection) channels.delete(session.cell.id);
      },
    });
  };

  const server = await listenControl(join(plan.home, HOME.controlSocket), accept).catch(async (error) => {
    await journal.close();
    lock.release();
    throw error;
  });

  const readLoad = createLoadMeter();
  let lastTick = clock.monoMs();
  let lastMachine = lastTick;
  const ticker = setInterval(() => {
    const now = clock.monoMs();
    const lagMs = Math.max(0, now - lastTick - TICK_MS);
    lastTick = now;
    lagMsMax = Math.max(lagMsMax, lagMs);
    if (lagMs >= LAG_NOTED_MS) journal.append({ name: 'system:lag', data: { lagMs: Math.round(lagMs) } });
    if (now - lastMachine >= MACHINE_MS) {
      lastMachine = now;
      emit({ t: 'machine', busy: readLoad() ?? 0, lagMs });
      void readBus();
    } else emit({ t: 'tick' });
    feed.flush();
  }, TICK_MS);

  let asking = false;
  let lastBusRead = 0;
  /** The broker's own counters, through its verb; while it is down the last ones stand. */
  async function readBus(): Promise<void> {
    if (asking || clock.monoMs() - lastBusRead < 1000 || state.kernels['message_bus']?.state !== 'running') return;
    asking = true;
    lastBusRead = clock.monoMs();
    try {
      const read = (await desk.call(
        { kernel: 'message_bus', verb: 'stats', input: {}, from: 'supervisor' },
        800,
      )) as BusStatistics;
      const { accepted, handled, rejected, expired, deadLettered, waiting, denied, muted } = read;
      bus = { accepted, handled, rejected, expired, deadLettered, waiting, denied, muted };
    } catch {
      // A broker that does not answer is the judgement's matter, not this reading's.
    } finally {
      asking = false;
    }
  }

  function stop(reason: string, timeoutMs: number): void {
    emit({ t: 'stop', reason, timeoutMs });
  }

  async function finish(): Promise<void> {
    if (finished) return;
    finished = true;
    const left = await cells.allEnded(END_MS);
    clearInterval(ticker);
    clearTimeout(dueTimer);
    journal.append({ name: 'system:stopped', data: { left } });
    await server.close();
    await journal.close();
    for (const file of [HOME.busKey, HOME.busSocket, HOME.plan]) rmSync(join(plan.home, file), { force: true });
    lock.release();
    resolveEnded(left);
  }

  journal.append({
    name: 'system:boot',
    data: {
      pid: process.pid,
      version: plan.version,
      node: process.versions.node,
      cores: navigator.hardwareConcurrency,
      armed: plan.armed,
      kernels: plan.kernels.map((kernel) => kernel.id),
      safeguards: plan.safeguards,
    },
  });
  emit({ t: 'boot' });
  return { ended, stop };
}

function bootMs(readyMs: (number | null)[]): number {
  return Math.max(0, ...readyMs.map((ms) => ms ?? 0));
}
