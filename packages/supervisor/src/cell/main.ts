/** The entry of a cell: a host process for kernel threads. It dials the supervisor, and dials again when the supervisor comes back. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT_STORAGE_FULL, GraceError, HOME, PROTOCOL } from '@grace/contracts';
import { Channel, connectSocket } from '@grace/control';
import { signIn } from '../home/former-cells.ts';
import { readPlan } from '../plan-file.ts';
import { type Agent, createAgent } from './agent.ts';
import { createLogWriter, type LogWriter } from './log-writer.ts';

const { values } = parseArgs({
  options: { plan: { type: 'string' }, cell: { type: 'string' }, incarnation: { type: 'string' } },
});
const cell = values.cell!;
const incarnation = Number(values.incarnation);
const plan = readPlan(values.plan!);
process.title = `grace-cell ${cell}`;

const { logs, signOut } = open();
let channel: Channel | undefined;
let leaving = false;

const agent: Agent = createAgent({
  plan,
  cell,
  logs,
  notice: (name, data) => void channel?.notice(name, data),
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
      signOut: signIn(plan.home, cell),
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
      const socket = await connectSocket(join(plan.home, HOME.controlSocket), 1000);
      const closed = Promise.withResolvers<void>();
      channel = new Channel(socket, {
        onRequest: (method, params) => agent.request(method, params),
        onNotice: (name, data) => agent.take(name, data),
        onClose: () => closed.resolve(),
      });
      await channel.request('cell.hello', { protocol: PROTOCOL, cell, pid: process.pid, incarnation }, 5000);
      await closed.promise;
      lostAt = performance.now();
    } catch (error) {
      channel?.close();
      // A supervisor that does not know this cell has replaced it already.
      if (error instanceof GraceError && error.code === 'PROTOCOL') break;
    }
    channel = undefined;
    if (performance.now() - lostAt > plan.settings.orphanMs) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (!leaving) await agent.retire();
}

// The supervisor decides when a cell ends; a Ctrl-C on the terminal reaches the whole group and must not.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => void agent.retire());

await stayConnected();
