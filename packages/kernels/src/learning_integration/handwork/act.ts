import type { AnyRecord } from '@grace/contracts';

/** Orders that people give; a playbook has an action for some of them only. */
export type ActName =
  | 'restart'
  | 'pause'
  | 'resume'
  | 'isolate'
  | 'quarantine'
  | 'throttle'
  | 'mute'
  | 'unmute'
  | 'repair';

/** What somebody did by hand. */
export interface Act {
  /** Of its journal record. */
  seq: number;
  atMs: number;
  name: ActName;
  /** Kernel, principal or record it was done to. */
  target: string;
  cell: string | null;
  by: string;
  /** Of a mute, ms. */
  periodMs: number | null;
}

/** The doors through which people come. What a kernel orders is no manual fix. */
function isByHand(by: string | undefined): by is string {
  return by !== undefined && (/^(cli|api_server)$/.test(by) || /^(grace |api_server:)/.test(by));
}

/** The manual act that a record tells of; null: none. */
export function actOf(record: AnyRecord): Act | null {
  const act = (name: ActName, target: string | undefined, by: string | undefined, periodMs: number | null = null) =>
    isByHand(by) && target !== undefined
      ? { seq: record.seq, atMs: record.wallMs, name, target, cell: record.cell ?? null, by, periodMs }
      : null;
  switch (record.name) {
    case 'kernel:hand':
      return act(record.data.order, record.kernel, record.data.by);
    case 'bus:muted':
      return act('mute', record.data.principal, record.data.by, record.data.periodMs);
    case 'bus:unmuted':
      return act('unmute', record.data.principal, record.data.by);
    case 'record:repaired':
      return act('repair', record.data.ledger, record.data.by);
    default:
      return null;
  }
}
