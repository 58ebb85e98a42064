import type { Channel } from '@grace/control';

/** The connections of the cells that have said hello, by cell. */
export interface CellChannels {
  get(cell: string): Channel | undefined;
  joined(cell: string, incarnation: number, channel: Channel): void;
  /** The cell whose present connection this was, if any. */
  left(channel: Channel): string | undefined;
  ended(cell: string, incarnation: number): void;
  broadcast(name: string, data: unknown): void;
}

export function createCellChannels(): CellChannels {
  const channels = new Map<string, { channel: Channel; incarnation: number }>();
  return {
    get: (cell) => channels.get(cell)?.channel,
    joined: (cell, incarnation, channel) => void channels.set(cell, { channel, incarnation }),
    left(channel) {
      for (const [cell, known] of channels) {
        if (known.channel !== channel) continue;
        channels.delete(cell);
        return cell;
      }
      return undefined;
    },
    ended(cell, incarnation) {
      if (channels.get(cell)?.incarnation === incarnation) channels.delete(cell);
    },
    broadcast(name, data) {
      for (const { channel } of channels.values()) channel.notice(name, data);
    },
  };
}
