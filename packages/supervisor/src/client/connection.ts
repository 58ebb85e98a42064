import type { Socket } from 'node:net';
import { GraceError, PROTOCOL, type SupervisorMethods, type ThreadInventory } from '@grace/contracts';
import { Channel } from '@grace/control';
import type { Journal } from '../journal/journal.ts';
import type { Loop } from '../loop.ts';
import type { SystemGroups } from '../machine/control-groups/system-groups.ts';
import type { CellChannels } from '../process/cell-channels.ts';
import { answerCell, type CellLinkParts, takeCellNotice } from '../process/cell-link.ts';
import type { CellProcesses } from '../process/cell-processes.ts';
import { followJournal } from './follower.ts';
import { type ClientSession, createClientMethods, type Desk } from './methods.ts';

export interface ConnectionParts {
  desk: Desk;
  journal: Journal;
  loop: Loop;
  channels: CellChannels;
  cells: Pick<CellProcesses, 'expects' | 'look'>;
  /** Resolves when clients may be answered. */
  welcome: Promise<void>;
  /** A cell of a former supervisor is back. */
  adopted(cell: string, threads: ThreadInventory[], dropped: number): void;
  link: CellLinkParts;
  limits: Pick<SystemGroups, 'openCell'>;
}

/** One connection of the control socket: a client, or, after `cell.hello`, a cell. */
export function acceptConnection(parts: ConnectionParts, socket: Socket): void {
  const { loop, channels } = parts;
  let stopFollowing = (): void => {};
  let isCell = false;
  const session: ClientSession = {
    role: null,
    follow(after) {
      stopFollowing();
      stopFollowing = followJournal(parts.journal, channel, after);
    },
  };
  const answerClient = createClientMethods(parts.desk, session);
  const answer = answerCell(parts.link);

  const cellHello = async ({
    protocol,
    cell,
    incarnation,
    pid,
    threads,
    missed,
  }: SupervisorMethods['cell.hello']['params']): Promise<SupervisorMethods['cell.hello']['result']> => {
    const expected = loop.state.cells[cell]?.incarnation === incarnation && parts.cells.expects(cell, pid);
    if (protocol !== PROTOCOL || !expected) {
      throw new GraceError('PROTOCOL', `no cell "${cell}" of incarnation ${incarnation} with pid ${pid} is expected`);
    }
    const limits = await parts.limits.openCell(cell, pid);
    if (channel.closed) throw new GraceError('CONNECTION_CLOSED', `the cell "${cell}" has hung up`);
    isCell = true;
    channels.joined(cell, incarnation, channel);
    queueMicrotask(() => {
      const isNew = loop.state.cells[cell]?.state === 'starting';
      for (const { name, data } of missed.notices) takeCellNotice(parts.link, name, data);
      loop.emit(
        isNew ? { t: 'cell-online', cell, incarnation, pid } : { t: 'cell-adopted', cell, incarnation, pid, threads },
      );
      parts.adopted(cell, threads, missed.dropped);
    });
    return { cell, limits };
  };

  const channel = new Channel(socket, {
    onRequest: async (method, params, context) => {
      if (method === 'cell.hello') return await cellHello(params as SupervisorMethods['cell.hello']['params']);
      if (!isCell) await parts.welcome;
      return await (isCell ? answer : answerClient)(method, params, context);
    },
    onNotice: (name, data) => {
      if (isCell) takeCellNotice(parts.link, name, data);
    },
    onClose: () => {
      stopFollowing();
      const cell = channels.left(channel);
      if (cell !== undefined) parts.cells.look(cell);
    },
  });
}
