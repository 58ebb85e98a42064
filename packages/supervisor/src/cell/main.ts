/** The entry of a cell: a host process for kernel threads. It dials the supervisor, and dials again when the supervisor comes back. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT_STORAGE_FULL, GraceError, HOME, PROTOCOL, type SupervisorMethods } from '@grace/contracts';
import { Channel, connectSocket } from '@grace/control';
import { signIn } from '../home/former-cells.ts';
import { readPlan } from '../plan-file.ts';
import { type Agent, createAgent } from './agent.ts';
import { createLogWriter, type LogWriter } from './log-writer.ts';
import { createMissed } from './missed.ts';

const { values } = parseArgs({
  options: { plan: { type: 'string' }, cell: { type: 'string' }, incarnation: { type: 'string' } },
});
const cell = values.cell!;
const incarnation = Number(values.incarnation);
const plan = readPlan(values.plan!);
process.title = `grace-cell ${cell}`;

/** How often a supervisor is looked for, ms. */
const REDIAL_MS = 50;
const HELLO_MS = 5000;

const { logs, signOut } = open();
/** Set while a supervisor has welcomed this cell. */
let channel: Channel | undefined;
const missed = createMissed();
let leaving = false;

const agent: Agent = createAgent({
  plan,
  cell,
  logs,
  notice(name, data) {
    if (channel?.notice(name, data)) missed.wrote(name, data);
    else missed.keep(name, data);
  },
  ask: (method, params, deadlineMs) =>
    channel
      ? channel.request(method, params, deadlineMs)
      : Promise.reject(new GraceError('NOT_RUNNING', 'the supervisor is not connected at the moment')),
  exit() {
    leaving = true;
    void logs.close().finally(() => {
      signOut();
      process.exit(0);
    });
  },
});

/** What a cell needs of the disk. A full one is an exit code: there is nowhere to write it down. */
function open(): { logs: LogWriter; signOut: () => void } {
  const { logLevel: level, logMaxBytes: maxBytes, logFiles: files } = plan.settings;
  try {
    return {
      logs: createLogWriter(join(plan.home, HOME.logs, `${cell}.log`), { level, maxBytes, files }),
      signOut: signIn(plan.home, cell, incarnation),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') process.exit(EXIT_STORAGE_FULL);
    throw error;
  }
}

/** Stays connected while there is a supervisor; without one for `orphanMs` it drains and ends, so nothing is left behind. */
async function stayConnected(): Promise<void> {
  let lostAt = performance.now();
  while (!leaving) {
    try {
      const { closed, open } = await dial();
      channel = open;
      for (const { name, data } of missed.take().notices) open.notice(name, data);
      await closed;
      lostAt = performance.now();
    } catch (error) {
      // A supervisor that does not know this cell has replaced it already.
      if (error instanceof GraceError && error.code === 'PROTOCOL') break;
    }
    channel = undefined;
    missed.lost();
    if (performance.now() - lostAt > plan.settings.orphanMs) break;
    await new Promise((resolve) => setTimeout(resolve, REDIAL_MS));
  }
  if (!leaving) await agent.retire();
}

/** Resolves when a supervisor has welcomed this cell, its threads, and what they had to tell. */
async function dial(): Promise<{ open: Channel; closed: Promise<void> }> {
  const socket = await connectSocket(join(plan.home, HOME.controlSocket), 1000);
  const closed = Promise.withResolvers<void>();
  const open = new Channel(socket, {
    onRequest: (method, params) => agent.request(method, params),
    onNotice: (name, data) => agent.take(name, data),
    onClose: () => closed.resolve(),
  });
  const told = missed.take();
  try {
    const hello = { protocol: PROTOCOL, cell, pid: process.pid, incarnation, threads: agent.inventory(), missed: told };
    const { limits } = await open.request<SupervisorMethods['cell.hello']['result']>('cell.hello', hello, HELLO_MS);
    void agent.takeLimits(limits);
    return { open, closed: closed.promise };
  } catch (error) {
    missed.giveBack(told);
    open.close();
    throw error;
  }
}

// The supervisor decides when a cell ends; a Ctrl-C on the terminal reaches the whole group and must not.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => void agent.retire());

void stayConnected();
