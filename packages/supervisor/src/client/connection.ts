import type { Socket } from 'node:net';
import { GraceError, PROTOCOL, type SupervisorMethods } from '@grace/contracts';
import { Channel } from '@grace/control';
import type { Journal } from '../journal/journal.ts';
import type { Loop } from '../loop.ts';
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
  cells: Pick<CellProcesses, 'isChild'>;
  link: CellLinkParts;
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

  const cellHello = ({
    protocol,
    cell,
    incarnation,
    pid,
  }: SupervisorMethods['cell.hello']['params']): { cell: string } => {
    const expected = loop.state.cells[cell]?.incarnation === incarnation && parts.cells.isChild(cell, pid);
    if (protocol !== PROTOCOL || !expected) {
      throw new GraceError('PROTOCOL', `no cell "${cell}" of incarnation ${incarnation} with pid ${pid} is expected`);
    }
    isCell = true;
    channels.joined(cell, incarnation, channel);
    queueMicrotask(() => loop.emit({ t: 'cell-online', cell, incarnation, pid }));
    return { cell };
  };

  const channel = new Channel(socket, {
    onRequest: async (method, params, context) => {
      if (method === 'cell.hello') return cellHello(params as SupervisorMethods['cell.hello']['params']);
      return await (isCell ? answer : answerClient)(method, params, context);
    },
    onNotice: (name, data) => {
      if (isCell) takeCellNotice(parts.link, name, data);
    },
    onClose: () => {
      stopFollowing();
      channels.left(channel);
    },
  });
}
