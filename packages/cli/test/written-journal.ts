import type { AnyRecord, EventMap, EventName, Incident, JournalRecord } from '@grace/contracts';

type About = Pick<JournalRecord, 'kernel' | 'cell' | 'incarnation' | 'correlation'>;

/** A journal as a supervisor would write it: gapless numbers, two times. Times are ms since the written system was booted. */
export class WrittenJournal {
  readonly records: AnyRecord[] = [];

  constructor() {
    this.at(0, 'system:boot', {
      pid: 1,
      version: '0.1.0',
      node: '26.10.0',
      cores: 2,
      armed: false,
      kernels: ['worker', 'mate', 'far'],
      safeguards: { heartbeatDetector: true, mute: true, restartEngine: true },
    });
  }

  /** Writes a record; answers with its number. */
  at<N extends EventName>(ms: number, name: N, data: EventMap[N], about: About = {}): number {
    const seq = this.records.length + 1;
    const record = { seq, name, wallMs: Date.UTC(2026, 10, 1) + ms, monoMs: 900_000 + ms, ...about, data };
    this.records.push(record as unknown as AnyRecord);
    return seq;
  }

  open(ms: number, incident: Pick<Incident, 'id' | 'kind' | 'subject'> & Partial<Incident>, about: About = {}): number {
    const { correlation } = about;
    return this.at(
      ms,
      'incident:open',
      {
        incident: {
          title: `${incident.subject} is not well`,
          severity: 'high',
          openedMono: 900_000 + ms,
          escalated: false,
          ...(correlation === undefined ? {} : { correlation }),
          ...incident,
        },
      },
      about,
    );
  }
}

/** Where the kernels of a written journal live. */
export const WORKER = { kernel: 'worker', cell: 'user', incarnation: 1 } as const;
export const MATE = { kernel: 'mate', cell: 'user', incarnation: 1 } as const;
export const FAR = { kernel: 'far', cell: 'apart', incarnation: 1 } as const;
